using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Convex;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Testing;

namespace OT.Studies;

/// <summary>
/// How fast Mirror Sinkhorn approaches the optimum, with exact and noisy gradients, offline and online, linear and quadratic. The paper's own tables (Ballu and Berthet 2023) are not machine-readable;
/// what is claimed are its rate and the slopes that an independent implementation measured.
/// </summary>
sealed class MirrorSinkhornStudy : CurveStudy
{
    const string E1 = "E1: linear objective, suboptimality";
    const string E2 = "E2: noisy gradients, n = 100, suboptimality of the rounded average";
    const string E3 = "E3: against entropic Sinkhorn, suboptimality";
    const string E5 = "E5: quadratic objective, suboptimality";

    public override string Name => "mirror-sinkhorn";

    public override string Description => "Mirror Sinkhorn: convergence to the optimum";

    protected override void Run(StudyReport report)
    {
        Linear(report);
        Noisy(report);
        Plateau(report);
        Online(report);
        Quadratic(report);
    }

    /// <summary>A problem with its exact value.</summary>
    sealed record Instance(CostMatrix Costs, Measure A, Measure B)
    {
        public double Optimum { get; } = new NetworkSimplex().Solve(new LinearProblem(Costs, A, B)).TransportCost;

        public static Instance Uniform(int n, ulong seed)
        {
            var random = new SeededRandom(seed);
            var costs = new double[n * n];
            foreach (ref double cost in costs.AsSpan())
                cost = random.NextDouble();
            return new Instance(new CostMatrix(n, n, costs), Measure.Uniform(n), Measure.Uniform(n));
        }

        public static Instance Planar(int n, ulong seed)
        {
            var random = new SeededRandom(seed);
            Matrix Points() => new(n, 2, [.. Enumerable.Range(0, 2 * n).Select(_ => random.NextDouble())]);
            Measure Weights()
            {
                double[] weights = [.. Enumerable.Range(0, n).Select(_ => 0.1 + random.NextDouble())];
                return Measure.Of(Array.ConvertAll(weights, w => w / weights.Sum()));
            }
            return new Instance(CostMatrix.From(new PointCloud(Points(), Points())), Weights(), Weights());
        }

        /// <summary><c>⟨C, P̂⟩ − OT</c> of a plan rounded to the marginals.</summary>
        public double Suboptimality(TransportPlan plan) =>
            Certificate.Verify(new LinearProblem(Costs, A, B), plan).TransportCost - Optimum;
    }

    /// <summary>Iteration numbers at which a run is looked at: three a decade.</summary>
    static int[] Stops(int last) =>
        [.. Enumerable.Range(6, 12).Select(k => (int)Math.Round(Math.Pow(10, k / 3.0))).Where(t => t <= last)];

    /// <summary>Steps along C plus noise, and looks at the stops.</summary>
    static void March(Instance instance, int last, double sigma, ulong seed, Action<int, OnlineMirrorSinkhorn> look)
    {
        double[] costs = [.. TransportCosts(instance)];
        double[] gradient = [.. costs];
        var random = new SeededRandom(seed);
        var online = new OnlineMirrorSinkhorn(instance.A, instance.B, sigma > 0 ? 1 + (3 * sigma) : null);
        foreach (int stop in Stops(last))
        {
            while (online.Iterations < stop)
            {
                if (sigma > 0)
                    Disturb(costs, gradient, sigma, random);
                online.Step(gradient);
            }
            look(stop, online);
        }
    }

    static IEnumerable<double> TransportCosts(Instance instance)
    {
        for (int i = 0; i < instance.Costs.Rows; i++)
        {
            for (int j = 0; j < instance.Costs.Columns; j++)
                yield return instance.Costs.Cost(i, j);
        }
    }

    static void Disturb(ReadOnlySpan<double> costs, Span<double> gradient, double sigma, SeededRandom random)
    {
        for (int k = 0; k < costs.Length; k++)
            gradient[k] = costs[k] + (sigma * random.NextNormal());
    }

    static DensePlan Iterate(OnlineMirrorSinkhorn online) =>
        new(new Matrix(online.Rows, online.Columns, online.Current.ToArray()));

    static void Linear(StudyReport report)
    {
        (string Name, Instance Instance, int Last)[] cases = report.IsShort
            ? [("uniform costs, n = 40", Instance.Uniform(40, 1), 2200), ("planar points, n = 40", Instance.Planar(40, 2), 2200)]
            :
            [
                ("uniform costs, n = 100", Instance.Uniform(100, 1), 100_000),
                ("uniform costs, n = 500", Instance.Uniform(500, 1), 10_000),
                ("planar points, n = 100", Instance.Planar(100, 2), 100_000),
            ];
        foreach ((string name, Instance instance, int last) in cases)
        {
            string average = $"{name}: average",
                iterate = $"{name}: last iterate";
            March(
                instance,
                last,
                0,
                0,
                (t, online) =>
                {
                    report.Add(E1, average, t, instance.Suboptimality(online.CurrentAverage()));
                    report.Add(E1, iterate, t, instance.Suboptimality(Iterate(online)));
                }
            );
            double slope = report.Slope(E1, average);
            report.Claim($"E1, {average}: slope {slope:F2} is at most -0.45", slope <= -0.45);
            double ratio = report.Curve(E1, average)[^1].Y / report.Curve(E1, iterate)[^1].Y;
            report.Claim($"E1, {name}: the rounded last iterate is better than the rounded average, {ratio:F1} times", ratio > 1);
        }
    }

    static void Noisy(StudyReport report)
    {
        Instance instance = Instance.Uniform(report.IsShort ? 40 : 100, 1);
        foreach (double sigma in (double[])[0.1, 1])
        {
            FormattableString name = $"sigma = {sigma}";
            string series = FormattableString.Invariant(name);
            March(
                instance,
                report.IsShort ? 2200 : 100_000,
                sigma,
                7,
                (t, online) => report.Add(E2, series, t, instance.Suboptimality(online.CurrentAverage()))
            );
            double slope = report.Slope(E2, series);
            report.Claim($"E2, {series}: slope {slope:F2} is at most -0.40", slope <= -0.40);
        }
        (double low, double high) = (report.Curve(E2, "sigma = 0.1")[^1].Y, report.Curve(E2, "sigma = 1")[^1].Y);
        report.Claim($"E2: more noise, a higher level: {high:E1} above {low:E1}", high > low);
    }

    /// <summary>At a fixed ε Sinkhorn stops at its bias; Mirror Sinkhorn goes on.</summary>
    static void Plateau(StudyReport report)
    {
        Instance instance = Instance.Uniform(report.IsShort ? 40 : 100, 3);
        int last = report.IsShort ? 2200 : 20_000;
        March(
            instance,
            last,
            0,
            0,
            (t, online) => report.Add(E3, "Mirror Sinkhorn, last iterate", t, instance.Suboptimality(Iterate(online)))
        );
        foreach (double epsilon in (double[])[0.1, 0.03])
        {
            string series = FormattableString.Invariant($"Sinkhorn, epsilon = {epsilon}");
            var problem = new LinearProblem(instance.Costs, instance.A, instance.B)
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
            };
            foreach (int t in Stops(last))
            {
                var options = new SinkhornOptions
                {
                    MaxIterations = t,
                    Tolerance = 1e-15,
                    Acceleration = Acceleration.None,
                    Schedule = EpsilonSchedule.None,
                };
                report.Add(E3, series, t, instance.Suboptimality(new Sinkhorn(options).Solve(problem).Plan));
            }
            (double X, double Y)[] curve = report.Curve(E3, series);
            double rest = curve[^1].Y / curve[^4].Y;
            double mirror = report.Curve(E3, "Mirror Sinkhorn, last iterate")[^1].Y;
            report.Claim(
                $"E3, {series}: a decade changes its level by {Math.Abs(rest - 1):P1}, less than 1 %",
                Math.Abs(rest - 1) < 0.01
            );
            report.Claim(
                $"E3, {series}: its level {curve[^1].Y:E1} is above Mirror Sinkhorn's {mirror:E1}",
                curve[^1].Y > mirror
            );
        }
    }

    /// <summary>Costs that are drawn anew for each step are noisy gradients: the same stream gives the same plan.</summary>
    static void Online(StudyReport report)
    {
        Instance instance = Instance.Uniform(report.IsShort ? 20 : 100, 1);
        const double sigma = 0.5;
        const int steps = 1000;
        TransportObjective linear = TransportObjective.Linear(instance.Costs);
        double[] costs = [.. TransportCosts(instance)];
        TransportObjective sampled = TransportObjective.Sampled(
            linear,
            (_, gradient, random) => Disturb(costs, gradient, sigma, random)
        );
        var options = new MirrorSinkhornOptions
        {
            MaxIterations = steps,
            GradientBound = 1 + (3 * sigma),
            GapTolerance = 0,
            CertificateEvery = 0,
            Seed = 5,
        };
        MirrorSinkhornResult offline = new MirrorSinkhorn(options).Solve(new ConvexProblem(sampled, instance.A, instance.B));
        var online = new OnlineMirrorSinkhorn(instance.A, instance.B, 1 + (3 * sigma));
        var stream = new SeededRandom(5);
        var drawn = new double[costs.Length];
        for (int t = 0; t < steps; t++)
        {
            Disturb(costs, drawn, sigma, stream);
            online.Step(drawn);
        }
        double distance = TensorPrimitives.Distance(
            offline.AveragePlan.ToDense().Values,
            online.CurrentAverage().ToDense().Values
        );
        report.Claim(
            $"E4: costs drawn step by step and sampled gradients give the same average, distance {distance}",
            distance == 0
        );
    }

    static void Quadratic(StudyReport report)
    {
        const int n = 20;
        Instance instance = Instance.Uniform(n, 4);
        int last = report.IsShort ? 2200 : 100_000;
        double[] a = instance.A.Weights.ToArray();
        foreach (double gamma in (double[])[1, 10])
        {
            string series = FormattableString.Invariant($"gamma = {gamma}");
            TransportObjective objective = TransportObjective.Quadratic(instance.Costs, gamma);
            double[,] plan = ConvexOracles.QuadraticPlan(instance.Costs, a, a, gamma, 1e-13);
            double optimum = objective.Value(Matrix.From(plan).Values);
            double bound = double.NegativeInfinity;
            foreach (int t in Stops(last))
            {
                var options = new MirrorSinkhornOptions
                {
                    MaxIterations = t,
                    GapTolerance = 0,
                    CertificateEvery = 0,
                };
                MirrorSinkhornResult result = new MirrorSinkhorn(options).Solve(
                    new ConvexProblem(objective, instance.A, instance.B)
                );
                report.Add(E5, series, t, result.Value - optimum);
                bound = Math.Max(bound, result.LowerBound!.Value);
            }
            double slope = report.Slope(E5, series);
            report.Claim($"E5, {series}: slope {slope:F2} is at most -0.45", slope <= -0.45);
            double rest = report.Curve(E5, series)[^1].Y;
            report.Claim(
                $"E5, {series}: {rest:E1} above the reference's {optimum:G9} in the end, less than 1e-2 of it",
                rest < 0.01 * optimum
            );
            // The reference misses its marginals by 1e-13, and its value by no more.
            report.Claim(
                $"E5, {series}: no certified bound is above the reference, the best is {optimum - bound:E1} below",
                bound <= optimum + 1e-12
            );
        }
    }
}
