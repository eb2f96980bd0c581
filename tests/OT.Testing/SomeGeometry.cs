using OT.Geometries;
using OT.Numerics;

namespace OT.Testing;

/// <summary>One geometry of every kind that a back end must take, by name; costs are between 0 and a few units.</summary>
public static class SomeGeometry
{
    /// <summary>Kinds whose every pair is allowed.</summary>
    public static IReadOnlyList<string> Dense { get; } =
    [
        "doubles",
        "floats",
        "signed",
        "points1",
        "points2",
        "points3",
        "points7",
        "points40",
        "points far away",
        "points40 far away",
        "half squared",
        "half squared 20",
        "euclidean",
        "cityblock",
        "chebyshev",
        "minkowski",
        "power",
        "cosine",
        "cosine40",
        "sphere",
        "custom",
        "grid",
        "bilinear",
        "sum",
        "own class",
    ];

    /// <summary>All kinds.</summary>
    public static IReadOnlyList<string> All { get; } =
    [.. Dense, "forbidden", "forbidden floats", "sparse", "sum with sparse", "custom forbidden"];

    /// <summary>The geometry of a kind.</summary>
    public static Geometry Of(string kind, int n, int m, ulong seed = 1)
    {
        var random = new SeededRandom(seed);
        return kind switch
        {
            "doubles" => new CostMatrix(n, m, Draw(random, n * m)),
            "floats" => new CostMatrix(n, m, Array.ConvertAll(Draw(random, n * m), v => (float)v)),
            "signed" => new CostMatrix(n, m, Array.ConvertAll(Draw(random, n * m), v => v - 0.5)),
            "points1" => Points(random, n, m, 1),
            "points2" => Points(random, n, m, 2),
            "points3" => Points(random, n, m, 3),
            "points7" => Points(random, n, m, 7),
            "points40" => Points(random, n, m, 40),
            "half squared 20" => Points(random, n, m, 20, GroundCost.HalfSquaredEuclidean),
            "points40 far away" => Points(random, n, m, 40, offset: 100),
            "points far away" => Points(random, n, m, 2, offset: 100),
            "half squared" => Points(random, n, m, 2, GroundCost.HalfSquaredEuclidean),
            "euclidean" => Points(random, n, m, 2, GroundCost.Euclidean),
            "cityblock" => Points(random, n, m, 3, GroundCost.CityBlock),
            "chebyshev" => Points(random, n, m, 3, GroundCost.Chebyshev),
            "minkowski" => Points(random, n, m, 2, GroundCost.Minkowski(3)),
            "power" => Points(random, n, m, 2, GroundCost.Euclidean.ToPower(1.5)),
            "cosine" => Points(random, n, m, 3, GroundCost.Cosine),
            "cosine40" => Points(random, n, m, 40, GroundCost.Cosine),
            "sphere" => Points(random, n, m, 3, GroundCost.SphereGeodesic),
            "custom" => Points(random, n, m, 2, GroundCost.Custom((x, y) => Math.Abs(x[0] - y[1]) + (x[1] * y[0]))),
            "custom forbidden" => Points(
                random,
                n,
                m,
                1,
                GroundCost.Custom((x, y) => Math.Abs(x[0] - y[0]) > 0.6 ? double.PositiveInfinity : Math.Abs(x[0] - y[0]))
            ),
            "grid" => new Grid(Axis(random, Divisor(n), Divisor(m)), Axis(random, n / Divisor(n), m / Divisor(m))),
            "bilinear" => new BilinearCost(
                new Matrix(n, 3, Draw(random, 3 * n)),
                new Matrix(3, 2, [1, 0.5, -0.5, 1, 0.25, 0]),
                new Matrix(m, 2, Draw(random, 2 * m))
            ),
            "sum" => new CostSum((0.5, Of("points2", n, m, seed)), (2, Of("doubles", n, m, seed + 1))),
            "own class" => new OwnClass(n, m),
            "forbidden" => new CostMatrix(n, m, Forbid(random, n, m)),
            "forbidden floats" => new CostMatrix(n, m, Array.ConvertAll(Forbid(random, n, m), v => (float)v)),
            "sparse" => Sparse(random, n, m),
            "sum with sparse" => new CostSum((1, Of("euclidean", n, m, seed)), (0.5, Of("sparse", n, m, seed + 1))),
            _ => throw new ArgumentException($"There is no kind '{kind}'.", nameof(kind)),
        };
    }

    /// <summary>count numbers in [0, 1).</summary>
    public static double[] Draw(SeededRandom random, int count)
    {
        ArgumentNullException.ThrowIfNull(random);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextDouble())];
    }

    /// <summary>Weights of sum 1; about one in <paramref name="zeroIn"/> is zero when that is positive, never the first.</summary>
    public static double[] Weights(SeededRandom random, int count, int zeroIn = 0)
    {
        ArgumentNullException.ThrowIfNull(random);
        double[] weights = Array.ConvertAll(Draw(random, count), v => zeroIn > 0 && random.NextInt(zeroIn) == 0 ? 0 : 0.1 + v);
        weights[0] = 1;
        double total = weights.Sum();
        return Array.ConvertAll(weights, w => w / total);
    }

    static PointCloud Points(SeededRandom random, int n, int m, int d, GroundCost? cost = null, double offset = 0) =>
        new(
            new Matrix(n, d, Array.ConvertAll(Draw(random, n * d), v => v + 0.01 + offset)),
            new Matrix(m, d, Array.ConvertAll(Draw(random, m * d), v => v + 0.01 + offset)),
            cost
        );

    static Matrix Axis(SeededRandom random, int n, int m) => new(n, m, Array.ConvertAll(Draw(random, n * m), v => v - 0.2));

    static int Divisor(int n) => Enumerable.Range(2, Math.Max(n - 1, 1)).FirstOrDefault(d => n % d == 0, 1);

    /// <summary>A third of the pairs is forbidden, never those of the first row and the first column.</summary>
    static double[] Forbid(SeededRandom random, int n, int m)
    {
        double[] costs = Draw(random, n * m);
        for (int k = 0; k < costs.Length; k++)
        {
            if (k >= m && k % m != 0 && random.NextInt(3) == 0)
                costs[k] = double.PositiveInfinity;
        }
        return costs;
    }

    static SparseCost Sparse(SeededRandom random, int n, int m)
    {
        double[] costs = Forbid(random, n, m);
        var starts = new long[n + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
            {
                if (double.IsFinite(costs[(i * m) + j]))
                {
                    columns.Add(j);
                    values.Add(costs[(i * m) + j]);
                }
            }
            starts[i + 1] = values.Count;
        }
        return new SparseCost(new SparseMatrix(n, m, starts, [.. columns], [.. values]));
    }

    /// <summary>What a user writes: shape and cost, nothing else.</summary>
    sealed class OwnClass(int n, int m) : Geometry
    {
        public override int Rows => n;

        public override int Columns => m;

        public override double Cost(int row, int column) => Math.Abs(((row * 7) + (column * 5)) % 11 / 11.0);
    }
}
