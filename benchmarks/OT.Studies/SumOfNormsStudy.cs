using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Studies;

/// <summary>
/// Class-structured plans: which share of the mass goes to its own class as the target is rotated, for exact, entropic and class-regularised transport; and whether classes are found exactly where that is certified.
/// </summary>
/// <remarks>
/// After the claims of Rahbar et al., ICML 2023 (better class preservation, more robust to the data's geometry), whose tables are not public: data and sizes are ours.
/// Every method that has a strength gets the best of a grid of ten.
/// </remarks>
sealed class SumOfNormsStudy : CurveStudy
{
    const int Strengths = 10;
    const double Gap = 1e-4;
    const string Rotation = "share of the mass that stays in its class, by degrees of rotation";
    const string Spread = "recovery: bounds of lambda, by spread of the classes";

    static readonly double[,] s_centres =
    {
        { 2, 0 },
        { -1.2, 1.6 },
        { -0.8, -2.2 },
    };

    /// <summary>Points of three classes of unequal sizes, and which class each belongs to.</summary>
    sealed record Sample(Matrix Points, int[] Labels);

    public override string Name => "sum-of-norms";

    public override string Description => "Class-structured transport: sums of norms beside entropic class terms";

    protected override void Run(StudyReport report)
    {
        Preservation(report);
        Recovery(report);
    }

    static Sample Draw(int count, double spread, double degrees, ulong seed)
    {
        var random = new SeededRandom(seed);
        (double sin, double cos) = Math.SinCos(degrees * Math.PI / 180);
        var points = new double[2 * count];
        var labels = new int[count];
        for (int i = 0; i < count; i++)
        {
            // Half, three tenths, two tenths.
            labels[i] =
                i < count / 2 ? 0
                : i < 8 * count / 10 ? 1
                : 2;
            double x = s_centres[labels[i], 0] + (spread * random.NextNormal()),
                y = s_centres[labels[i], 1] + (spread * random.NextNormal());
            (points[2 * i], points[(2 * i) + 1]) = ((cos * x) - (sin * y), (sin * x) + (cos * y));
        }
        return new(new Matrix(count, 2, points), labels);
    }

    /// <summary>Sources know their classes, targets do not: sums of norms join neighbours of one class on the left and neighbours on the right.</summary>
    static void Preservation(StudyReport report)
    {
        int count = report.IsShort ? 20 : 60,
            draws = report.IsShort ? 1 : 2;
        double[] angles = report.IsShort ? [40] : [10, 30, 50, 70, 90];
        foreach (double degrees in angles)
        {
            var sums = new Dictionary<string, double>();
            for (int draw = 0; draw < draws; draw++)
            {
                Sample source = Draw(count, 0.8, 0, 10 + (ulong)draw),
                    target = Draw(count, 0.8, degrees, 20 + (ulong)draw);
                foreach ((string method, double share) in Shares(source, target))
                    sums[method] = sums.GetValueOrDefault(method) + (share / draws);
            }
            foreach ((string method, double share) in sums)
                report.Add(Rotation, method, degrees, share);
        }
        double Mean(string method) => report.Curve(Rotation, method).Average(p => p.Y);
        // A plan within its gap, and a mean over angles: shares are not known to more than a thousandth.
        const double known = 1e-3;
        report.Claim(
            $"at its best strength, sums of norms keep as much mass in its class as LpL1 at its best: {Mean("sum of norms"):F4} and {Mean("LpL1"):F4}, exact {Mean("exact"):F4}, Sinkhorn {Mean("Sinkhorn"):F4}, group lasso {Mean("group lasso"):F4}",
            Mean("sum of norms") >= Mean("LpL1") - known
        );
        report.Claim($"and more than exact transport", Mean("sum of norms") >= Mean("exact"));
    }

    static IEnumerable<(string Method, double Share)> Shares(Sample source, Sample target)
    {
        CostMatrix costs = CostMatrix.From(new PointCloud(source.Points, target.Points));
        Measure a = Measure.Uniform(source.Points),
            b = Measure.Uniform(target.Points);
        var exact = new LinearProblem(costs, a, b);
        LinearProblem entropic = exact with { Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(0.02)) };
        double Kept(TransportPlan plan) => Share(plan, source.Labels, target.Labels);
        double[] grid = [.. Enumerable.Range(0, Strengths).Select(k => Math.Pow(10, -3.0 * k / (Strengths - 1)))];

        yield return ("exact", Kept(new NetworkSimplex().Solve(exact).Plan));
        yield return ("Sinkhorn", Kept(new Sinkhorn().Solve(entropic).Plan));
        double strongest = costs.Statistics.Mean;
        yield return (
            "LpL1",
            grid.Max(share => Kept(new LpL1(new() { Eta = share * strongest }).Solve(entropic, source.Labels).Plan))
        );
        yield return (
            "group lasso",
            grid.Max(share => Kept(new EntropicGroupLasso(new() { Eta = share * strongest }).Solve(entropic, source.Labels).Plan))
        );
        LinearProblem fused = exact with
        {
            Regularizer = Regularizer.SumOfNorms(
                1,
                PairWeights.Nearest(source.Points).Within(source.Labels),
                PairWeights.Nearest(target.Points)
            ),
        };
        double top = SumOfNorms.LambdaMax(fused);
        var solver = new SumOfNorms(new() { RelativeGap = Gap });
        yield return ("sum of norms", solver.Path(fused, grid.Select(share => share * top)).Max(result => Kept(result.Plan)));
    }

    static double Share(TransportPlan plan, int[] sources, int[] targets)
    {
        var row = new double[plan.Columns];
        double kept = 0;
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            for (int j = 0; j < row.Length; j++)
                kept += sources[i] == targets[j] ? row[j] : 0;
        }
        return kept;
    }

    /// <summary>Nobody knows a label: all pairs, with weights that fall with the distance. Where the two bounds leave room, the classes are found exactly.</summary>
    static void Recovery(StudyReport report)
    {
        int count = report.IsShort ? 10 : 30;
        double[] spreads = report.IsShort ? [1] : [1, 2, 3, 4];
        int certified = 0,
            recovered = 0;
        foreach (double spread in spreads)
        {
            Sample source = Draw(count, 0.05 * spread, 0, 31),
                target = Draw(count, 0.05 * spread, 15, 32);
            LinearProblem problem = new(
                new PointCloud(source.Points, target.Points),
                Measure.Uniform(source.Points),
                Measure.Uniform(target.Points)
            )
            {
                Regularizer = Regularizer.SumOfNorms(1, All(source.Points), All(target.Points)),
            };
            var bounds = RecoveryReport.Of(problem, source.Labels, target.Labels);
            report.Add(Spread, "equal within classes from", spread, bounds.SufficientLambda);
            report.Add(Spread, "classes merge from", spread, bounds.MergingLambda);
            if (!bounds.IsRecoverable)
                continue;
            certified++;
            var old = (SumOfNormsRegularizer)problem.Regularizer;
            double lambda = double.IsFinite(bounds.MergingLambda)
                ? Math.Sqrt(bounds.SufficientLambda * bounds.MergingLambda)
                : 1.01 * bounds.SufficientLambda;
            SumOfNormsResult result = new SumOfNorms().Solve(
                problem with
                {
                    Regularizer = Regularizer.SumOfNorms(lambda, old.Rows, old.Columns),
                }
            );
            bool same =
                result.RowClusters.AsSpan().SequenceEqual(source.Labels)
                && result.ColumnClusters.AsSpan().SequenceEqual(target.Labels);
            recovered += same ? 1 : 0;
        }
        report.Claim($"classes are found exactly wherever that is certified: {recovered} of {certified}", recovered == certified);
        report.Claim($"and it is certified for the narrowest classes", certified > 0);
    }

    /// <summary>All pairs, weights falling with the distance: 1 within classes and next to nothing, but something, between them.</summary>
    static PairWeights All(Matrix points) => PairWeights.Nearest(points, points.Rows - 1, 0.7);
}
