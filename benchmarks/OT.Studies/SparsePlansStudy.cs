using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Solvers.Sparse;

namespace OT.Studies;

/// <summary>What sparsity costs: plans of the quadratic problem beside entropic ones, and the optimum as the number of entries a column grows from the exact to the quadratic problem.</summary>
sealed class SparsePlansStudy : CurveStudy
{
    public override string Name => "sparse-plans";

    public override string Description => "Entries of a plan against its cost, and the optimum against k";

    protected override void Run(StudyReport report)
    {
        int n = report.IsShort ? 60 : 400;
        LinearProblem problem = Problem(n);
        double exact = new NetworkSimplex().Solve(problem).TransportCost;
        Costs(report, problem, exact);
        Limits(report, problem, exact);
    }

    /// <summary>Entries a row above a thousandth of the mean entry, beside the excess of the cost.</summary>
    static void Costs(StudyReport report, LinearProblem problem, double exact)
    {
        const string panel = "entries a row against the relative excess of the cost";
        int n = problem.A.Count;
        double threshold = 1e-3 / ((double)n * n);
        int fewer = 0,
            compared = 0;
        for (double factor = 0.01; factor < 300; factor *= 4)
        {
            TransportResult quadratic = new QuadraticDual().Solve(
                problem with
                {
                    Regularizer = Regularizer.Quadratic(factor * n / 100),
                }
            );
            report.Claim(
                $"gamma = {factor * n / 100:G3}: solved to a certified gap",
                quadratic.Certify().Gap < 1e-6 * quadratic.Value
            );
            double excess = (quadratic.TransportCost / exact) - 1;
            if (excess < 1e-6)
                continue;
            TransportResult entropic = OfEqualCost(problem, quadratic.TransportCost);
            double entries = quadratic.Plan.ToSparse(threshold).NonZeros / (double)n,
                soft = entropic.Plan.ToSparse(threshold).NonZeros / (double)n;
            report.Add(panel, "quadratic", excess, entries);
            report.Add(panel, "entropic", excess, soft);
            compared++;
            fewer += entries < soft ? 1 : 0;
        }
        report.Claim(
            $"at equal cost quadratic plans have fewer entries, {fewer} times of {compared}",
            fewer == compared && compared > 2
        );
    }

    static TransportResult OfEqualCost(LinearProblem problem, double cost)
    {
        double low = 1e-5,
            high = 10;
        TransportResult result = null!;
        for (int step = 0; step < 20; step++)
        {
            double middle = Math.Sqrt(low * high);
            result = new Sinkhorn().Solve(problem with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(middle)) });
            (low, high) = result.TransportCost < cost ? (middle, high) : (low, middle);
        }
        return result;
    }

    /// <summary>The optimum of the relaxation less the exact cost, from k = 1 to k = n.</summary>
    static void Limits(StudyReport report, LinearProblem problem, double exact)
    {
        const string panel = "optimum less the exact cost against k";
        int n = problem.A.Count;
        double gamma = n / 4.0;
        int[] limits = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, n];
        IReadOnlyList<KSparseResult> path = new KSparseDual().SolvePath(
            problem with
            {
                Regularizer = Regularizer.Sparsity(gamma, 1),
            },
            limits
        );
        for (int k = 0; k < limits.Length; k++)
        {
            report.Add(panel, "relaxation", limits[k], path[k].DualValue - exact);
            if (path[k].MarginalError < 1e-5)
                report.Add(panel, "plan with k entries", limits[k], path[k].Value - exact);
            int most = Enumerable.Range(0, n).Max(j => path[k].Plan.Values.Transpose().RowColumns(j).Length);
            report.Claim($"k = {limits[k]}: no column has more than {most} entries", most <= limits[k]);
        }
        double last = new QuadraticDual().Solve(problem with { Regularizer = Regularizer.Quadratic(gamma) }).Value;
        double first = exact + (0.5 * gamma / n); // |b|² = 1/n
        report.Claim($"k = 1 is the exact problem: {path[0].DualValue:G10}, {first:G10}", Near(path[0].DualValue, first));
        report.Claim($"k = n is the quadratic problem: {path[^1].DualValue:G10}, {last:G10}", Near(path[^1].DualValue, last));
        report.Claim(
            $"the optimum falls with k",
            Enumerable.Range(1, limits.Length - 1).All(k => path[k].DualValue <= path[k - 1].DualValue + (1e-9 * first))
        );
    }

    static bool Near(double x, double y) => Math.Abs(x - y) <= 2e-6 * Math.Abs(y);

    static LinearProblem Problem(int n)
    {
        var random = new SeededRandom(3);
        Matrix Cloud(double shift) => new(n, 2, [.. Enumerable.Range(0, 2 * n).Select(_ => shift + random.NextNormal())]);
        Matrix x = Cloud(0),
            y = Cloud(1);
        return new LinearProblem(new OT.Geometries.PointCloud(x, y), Measure.Uniform(x), Measure.Uniform(y));
    }
}
