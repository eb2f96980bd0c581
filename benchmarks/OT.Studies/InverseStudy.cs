using MathNet.Numerics.LinearAlgebra.Factorization;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Inverse;
using Dense = MathNet.Numerics.LinearAlgebra.Matrix<double>;

namespace OT.Studies;

/// <summary>
/// When the support of a bilinear cost can be recovered: certificates of graphs by distance and ε (E1), and shares of exact supports by the number of pairs, where the certificate promises it
/// and where it does not (E2, E3). Modelled on Andrade, Peyré and Poon 2024, whose figures are not machine-readable; what is claimed are the theory's statements, and
/// figures for circles that were computed elsewhere.
/// </summary>
sealed class InverseStudy : TableStudy
{
    static readonly double[] s_epsilons = [0.01, 0.1, 1, 10, 100];
    readonly List<(string Panel, string Series, double X, double Y)> _points = [];
    readonly List<(bool Holds, FormattableString Claim)> _claims = []; // said below the tables

    public override string Name => "inverse";

    public override string Description => "Inverse transport: which supports can be recovered, and from how many pairs";

    protected override void Run(StudyOutput output, bool isShort)
    {
        output.Line($"# {Description}");
        output.Line($"");
        output.Line(
            $"{Machine.Description}. Values depend on seeds alone, not on the machine's speed. A* = -(Laplacian + shift I) of a graph, standard normal marginals, where nothing else is said."
        );
        output.Line($"");
        output.Line($"![](inverse.svg)");
        output.Row($"experiment,case,x,y");
        Certificates(output, isShort ? 16 : 80);
        Pairs(output, isShort);
        Covariances(output, isShort);
        output.Line($"## Claims");
        output.Line($"");
        foreach ((bool holds, FormattableString claim) in _claims)
            output.Claim(holds, claim);
        output.Picture(LogLogPicture.Svg(Description, _points, "distance in the graph (E1), pairs (E2, E3)"));
    }

    void Certificates(StudyOutput output, int d)
    {
        output.Line($"");
        output.Line($"## E1: max |z| off the support, d = {d}");
        output.Line($"");
        output.Line($"| graph | edges | shift | eps 0.01 | 0.1 | 1 | 10 | 100 |");
        output.Line($"|---|---|---|---|---|---|---|---|");
        bool[][,] graphs = [Circle(d), Planar(d, 3), Random(d, 4)];
        string[] names = ["circle", "planar (Gabriel)", "random"];
        for (int g = 0; g < graphs.Length; g++)
        {
            foreach (double shift in g == 0 ? (double[])[0.5, 2, 5] : [2, 5])
                Graph(output, names[g], graphs[g], shift);
        }
    }

    void Graph(StudyOutput output, string name, bool[,] graph, double shift)
    {
        int d = graph.GetLength(0);
        int[,] distances = Distances(graph);
        Matrix identity = Identity(d),
            truth = Truth(graph, shift);
        var worst = new double[s_epsilons.Length];
        bool decays = true;
        for (int e = 0; e < s_epsilons.Length; e++)
        {
            Irrepresentability certificate = GaussianInverse.PreCertificate(identity, identity, truth, s_epsilons[e]);
            worst[e] = 1 - certificate.Margin;
            var largest = new double[d];
            for (int k = 0; k < d * d; k++)
            {
                int distance = distances[k / d, k % d];
                if (distance < d)
                    largest[distance] = Math.Max(largest[distance], Math.Abs(certificate.PreCertificate[k]));
            }
            string series = FormattableString.Invariant($"eps = {s_epsilons[e]}");
            for (int distance = 1; distance < Math.Min(d, 9); distance++)
            {
                if (largest[distance] < 1e-12)
                    continue;
                output.Row($"E1,\"{name}, shift {shift}, {series}, by distance\",{distance},{largest[distance]:R}");
                if (shift == 2)
                    _points.Add(($"E1: {name}, shift 2: max |z| by distance in the graph", series, distance, largest[distance]));
            }
            decays &= largest[4] <= largest[2];
        }
        int edges = Enumerable.Range(0, d * d).Count(k => graph[k / d, k % d]) / 2;
        output.Line(
            $"| {name} | {edges} | {shift} | {worst[0]:F3} | {worst[1]:F3} | {worst[2]:F3} | {worst[3]:F3} | {worst[4]:F3} |"
        );
        if (name == "circle")
        {
            (double small, double middle, double large) = shift switch
            {
                0.5 => (1.255, 0.963, 0.002),
                2 => (0.607, 0.553, 0.003),
                _ => (0.313, 0.300, 0.004),
            };
            // The first of these is known to two figures, the others to three.
            bool known =
                Math.Abs(worst[0] - small) <= (shift == 0.5 ? 0.01 : 0.001)
                && Math.Abs(worst[2] - middle) <= 0.001
                && Math.Abs(worst[4] - large) <= 0.0006;
            _claims.Add(
                (
                    known,
                    $"E1, circle, shift {shift}: max |z| is {small}, {middle} and {large} at eps 0.01, 1 and 100, as computed elsewhere"
                )
            );
        }
        _claims.Add((decays, $"E1, {name}, shift {shift}: |z| at distance 4 is at most that at distance 2, for every eps"));
        _claims.Add(
            (
                worst[4] < 0.05,
                $"E1, {name}, shift {shift}: at eps = 100 the certificate is the Lasso's of independent terms, which vanishes: max |z| = {worst[4]:F4}"
            )
        );
    }

    /// <summary>Three sources, two targets; the third source is correlated with the two that matter.</summary>
    void Pairs(StudyOutput output, bool isShort)
    {
        int seeds = isShort ? 6 : 20;
        int[] counts = isShort ? [100, 1600] : [100, 200, 400, 800, 1600];
        var truth = new Matrix(3, 2, [-1, 0, -1, 0, 0, 0]);
        output.Line($"");
        output.Line(
            $"## E2: pairs, A* = (-1, 0; -1, 0; 0, 0), corr(x_3, x_1) = corr(x_3, x_2) = rho, eps = 5, lambda = 4/sqrt(N)"
        );
        output.Line($"");
        foreach (double rho in (double[])[0.3, 0.65])
        {
            var source = new Matrix(3, 3, [1, 0, rho, 0, 1, rho, rho, rho, 1]);
            double margin = GaussianInverse.PreCertificate(source, Identity(2), truth, 5).Margin;
            string series = FormattableString.Invariant($"pairs, rho = {rho}");
            double[] shares =
            [
                .. counts.Select(n =>
                    Share(
                        seeds,
                        seed =>
                        {
                            (Matrix x, Matrix y) = Draw(source, Identity(2), truth, 5, n, seed);
                            InverseTransportResult result = new InverseTransport().Solve(
                                InverseProblem.FromPairs(x, y) with
                                {
                                    Epsilon = 5,
                                    Lambda = 4 / Math.Sqrt(n),
                                }
                            );
                            return result.Converged && SameSigns(result.Theta.AsSpan(), truth.Values);
                        }
                    )
                ),
            ];
            Shares(output, "E2", series, counts, shares, seeds, margin);
        }
    }

    /// <summary>The plug-in estimate from the covariances of N pairs.</summary>
    void Covariances(StudyOutput output, bool isShort)
    {
        const int d = 12;
        int seeds = isShort ? 6 : 20;
        int[] counts = isShort ? [1000, 100_000] : [1000, 10_000, 100_000, 1_000_000];
        output.Line($"");
        output.Line($"## E3: covariances of pairs, circle, d = {d}, lambda = 2 eps/sqrt(N), symmetric parameters");
        output.Line($"");
        foreach ((double shift, double epsilon) in ((double, double)[])[(2, 0.1), (0.5, 0.01)])
        {
            Matrix truth = Truth(Circle(d), shift),
                identity = Identity(d);
            double margin = GaussianInverse
                .PreCertificate(identity, identity, truth, epsilon, constraint: ParameterConstraint.Symmetric)
                .Margin;
            Matrix cross = GaussianInverse.Forward(identity, identity, truth, epsilon).Cross;
            string series = FormattableString.Invariant($"covariances, shift {shift}, eps = {epsilon}");
            double[] shares =
            [
                .. counts.Select(n =>
                    Share(
                        seeds,
                        seed =>
                        {
                            Dense sample = Wishart(Joint(identity, identity, cross), n, seed);
                            GaussianInverseResult result = GaussianInverse.Fit(
                                Ours(sample, 0, 0, d, d),
                                Ours(sample, d, d, d, d),
                                Ours(sample, 0, d, d, d),
                                epsilon,
                                2 * epsilon / Math.Sqrt(n),
                                constraint: ParameterConstraint.Symmetric
                            );
                            return result.Converged && SameSigns(result.Parameter.Values, truth.Values);
                        }
                    )
                ),
            ];
            Shares(output, "E3", series, counts, shares, seeds, margin);
        }
    }

    void Shares(StudyOutput output, string experiment, string series, int[] counts, double[] shares, int seeds, double margin)
    {
        output.Line($"{series}, margin 1 - max |z| = {margin:F3}:");
        output.Line($"");
        output.Line($"| pairs | exact supports and signs, of {seeds} |");
        output.Line($"|---|---|");
        for (int k = 0; k < counts.Length; k++)
        {
            output.Line($"| {counts[k]} | {shares[k] * seeds:F0} |");
            output.Row($"{experiment},\"{series}\",{counts[k]},{shares[k]:R}");
            // No logarithm of 0: half a success is added to all.
            _points.Add(
                (
                    $"{experiment}: share of exact supports, plus half a run",
                    series,
                    counts[k],
                    ((shares[k] * seeds) + 0.5) / (seeds + 0.5)
                )
            );
        }
        output.Line($"");
        if (margin > 0)
            _claims.Add(
                (
                    shares[^1] >= 0.9 && shares[^1] >= shares[0],
                    $"{experiment}, {series}: the certificate promises recovery, and it comes: {shares[0]:P0} to {shares[^1]:P0}"
                )
            );
        else
            _claims.Add(
                (
                    shares[^1] <= 0.2,
                    $"{experiment}, {series}: the certificate promises none, and more pairs do not help: {shares[0]:P0} to {shares[^1]:P0}"
                )
            );
        output.Line($"");
    }

    static double Share(int seeds, Func<ulong, bool> succeeds) =>
        Enumerable.Range(1, seeds).Count(seed => succeeds((ulong)seed)) / (double)seeds;

    static bool SameSigns(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        for (int k = 0; k < x.Length; k++)
        {
            if (Math.Sign(x[k]) != Math.Sign(y[k]))
                return false;
        }
        return true;
    }

    static (Matrix X, Matrix Y) Draw(Matrix source, Matrix target, Matrix truth, double epsilon, int count, ulong seed)
    {
        Matrix cross = GaussianInverse.Forward(source, target, truth, epsilon).Cross;
        int d = source.Rows,
            e = target.Rows;
        Dense root = Joint(source, target, cross).Cholesky().Factor;
        var random = new SeededRandom(seed);
        Dense points = Dense.Build.Dense(count, d + e, (_, _) => random.NextNormal()) * root.Transpose();
        return (Ours(points, 0, 0, count, d), Ours(points, 0, d, count, e));
    }

    static Dense Joint(Matrix source, Matrix target, Matrix cross)
    {
        int d = source.Rows,
            e = target.Rows;
        return Dense.Build.Dense(
            d + e,
            d + e,
            (i, j) =>
                i < d && j < d ? source[i, j]
                : i >= d && j >= d ? target[i - d, j - d]
                : i < d ? cross[i, j - d]
                : cross[j, i - d]
        );
    }

    /// <summary>The covariance of so many draws, by Bartlett's factor: its squared diagonal is chi-squared, for which many degrees of freedom allow Wilson and Hilferty's cube.</summary>
    static Dense Wishart(Dense covariance, int count, ulong seed)
    {
        int d = covariance.RowCount;
        var random = new SeededRandom(seed);
        Dense factor = Dense.Build.Dense(
            d,
            d,
            (i, j) =>
            {
                double freedom = count - i;
                return i == j
                        ? Math.Sqrt(
                            freedom * Math.Pow(1 - (2 / (9 * freedom)) + (random.NextNormal() * Math.Sqrt(2 / (9 * freedom))), 3)
                        )
                    : i > j ? random.NextNormal()
                    : 0;
            }
        );
        Cholesky<double> root = covariance.Cholesky();
        Dense whole = root.Factor * factor;
        Dense sample = whole * whole.Transpose() / count;
        return (sample + sample.Transpose()) / 2;
    }

    static Matrix Ours(Dense matrix, int row, int column, int rows, int columns) =>
        new(rows, columns, matrix.SubMatrix(row, rows, column, columns).ToRowMajorArray());

    static Matrix Identity(int d) => new(d, d, [.. Enumerable.Range(0, d * d).Select(k => k / d == k % d ? 1.0 : 0)]);

    static Matrix Truth(bool[,] graph, double shift)
    {
        int d = graph.GetLength(0);
        double Degree(int i) => Enumerable.Range(0, d).Count(j => graph[i, j]);
        return new Matrix(
            d,
            d,
            [
                .. Enumerable
                    .Range(0, d * d)
                    .Select(k =>
                        k / d == k % d ? -(Degree(k / d) + shift)
                        : graph[k / d, k % d] ? 1.0
                        : 0
                    ),
            ]
        );
    }

    static bool[,] Circle(int d) => Graph(d, (i, j) => (i - j + d) % d == 1 || (j - i + d) % d == 1);

    /// <summary>Points of the unit square, joined where the circle between them is empty: a planar graph, a part of Delaunay's.</summary>
    static bool[,] Planar(int d, ulong seed)
    {
        var random = new SeededRandom(seed);
        (double X, double Y)[] points = [.. Enumerable.Range(0, d).Select(_ => (random.NextDouble(), random.NextDouble()))];
        double Square((double X, double Y) p, (double X, double Y) q) => Math.Pow(p.X - q.X, 2) + Math.Pow(p.Y - q.Y, 2);
        return Graph(
            d,
            (i, j) =>
                Enumerable
                    .Range(0, d)
                    .All(k =>
                        k == i
                        || k == j
                        || Square(points[i], points[k]) + Square(points[j], points[k]) > Square(points[i], points[j])
                    )
        );
    }

    /// <summary>Each edge by itself, three a node in the mean.</summary>
    static bool[,] Random(int d, ulong seed)
    {
        var random = new SeededRandom(seed);
        var drawn = new bool[d, d];
        for (int i = 0; i < d; i++)
        {
            for (int j = 0; j < i; j++)
                drawn[i, j] = drawn[j, i] = random.NextDouble() < 3.0 / (d - 1);
        }
        return drawn;
    }

    static bool[,] Graph(int d, Func<int, int, bool> joined)
    {
        var graph = new bool[d, d];
        for (int i = 0; i < d; i++)
        {
            for (int j = 0; j < d; j++)
                graph[i, j] = i != j && joined(i, j);
        }
        return graph;
    }

    /// <summary>Steps between nodes; d where there is no way.</summary>
    static int[,] Distances(bool[,] graph)
    {
        int d = graph.GetLength(0);
        var distances = new int[d, d];
        for (int i = 0; i < d; i++)
        {
            for (int j = 0; j < d; j++)
                distances[i, j] =
                    i == j ? 0
                    : graph[i, j] ? 1
                    : d;
        }
        for (int k = 0; k < d; k++)
        {
            for (int i = 0; i < d; i++)
            {
                for (int j = 0; j < d; j++)
                    distances[i, j] = Math.Min(distances[i, j], distances[i, k] + distances[k, j]);
            }
        }
        return distances;
    }
}
