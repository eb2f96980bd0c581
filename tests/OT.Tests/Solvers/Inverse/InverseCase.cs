using FsCheck;
using FsCheck.Fluent;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Inverse;
using OT.Testing;

namespace OT.Tests.Solvers.Inverse;

/// <summary>A small inverse problem drawn from a seed: terms, a coupling, ε and λ.</summary>
/// <param name="Rows">n.</param>
/// <param name="Columns">m.</param>
/// <param name="Terms">p.</param>
/// <param name="Seed">Of everything that is drawn.</param>
public sealed record InverseCase(int Rows, int Columns, int Terms, ulong Seed)
{
    public double Epsilon => 0.3 + new SeededRandom(Seed + 7).NextDouble();

    public static Arbitrary<InverseCase> Any(int largest = 7)
    {
        Gen<InverseCase> cases =
            from n in Gen.Choose(1, largest)
            from m in Gen.Choose(1, largest)
            from p in Gen.Choose(1, 4)
            from seed in Gen.Choose(0, int.MaxValue)
            select new InverseCase(n, m, p, (ulong)seed);
        return Arb.From(
            cases,
            c =>
                new[] { c with { Rows = c.Rows - 1 }, c with { Columns = c.Columns - 1 }, c with { Terms = c.Terms - 1 } }.Where(
                    s => s is { Rows: > 0, Columns: > 0, Terms: > 0 }
                )
        );
    }

    /// <summary>Terms uniform in [−1, 1].</summary>
    public double[][,] Tables()
    {
        var random = new SeededRandom(Seed);
        return [.. Enumerable.Range(0, Terms).Select(_ => Table(() => (2 * random.NextDouble()) - 1))];
    }

    public CostDictionary Dictionary() => CostDictionary.Of([.. Tables().Select(table => (Geometry)new CostMatrix(table))]);

    /// <summary>A coupling of positive masses, with sum 1.</summary>
    public double[,] Observed()
    {
        var random = new SeededRandom(Seed + 1);
        double[,] masses = Table(() => Math.Exp(random.NextNormal()));
        double sum = masses.Cast<double>().Sum();
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
                masses[i, j] /= sum;
        }
        return masses;
    }

    public double[] Theta(int salt = 2)
    {
        var random = new SeededRandom(Seed + (ulong)salt);
        return [.. Enumerable.Range(0, Terms).Select(_ => random.NextNormal())];
    }

    public InverseProblem Problem(double[,]? observed = null) =>
        new(Dictionary(), ObservedCoupling.Of(Matrix.From(observed ?? Observed()))) { Epsilon = Epsilon };

    /// <summary>The entropic plan of θ between the observed coupling's marginals.</summary>
    public double[,] PlanOf(double[] theta)
    {
        (double[] a, double[] b) = InverseOracles.Marginals(Observed());
        return InverseOracles.Entropic(InverseOracles.Cost(Tables(), theta), a, b, Epsilon).Plan;
    }

    double[,] Table(Func<double> draw)
    {
        var table = new double[Rows, Columns];
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
                table[i, j] = draw();
        }
        return table;
    }

    /// <summary>Options that leave nothing to the tolerance.</summary>
    public static InverseTransportOptions Tight { get; } = new() { Tolerance = 1e-10 };

    public static Matrix Normal(int rows, int columns, ulong seed)
    {
        var random = new SeededRandom(seed);
        return new Matrix(rows, columns, [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextNormal())]);
    }

    /// <summary>Pairs from the Gaussian coupling of a bilinear cost between standard normals.</summary>
    public static (Matrix X, Matrix Y) Pairs(int count, Matrix parameter, double epsilon, ulong seed)
    {
        int d = parameter.Rows,
            e = parameter.Columns;
        Matrix cross = GaussianInverse.Forward(Identity(d), Identity(e), parameter, epsilon).Cross;
        var joint = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(
            d + e,
            d + e,
            (i, j) =>
                i == j ? 1
                : i < d && j >= d ? cross[i, j - d]
                : i >= d && j < d ? cross[j, i - d]
                : 0
        );
        var root = joint.Cholesky().Factor;
        Matrix z = Normal(count, d + e, seed);
        double[] x = new double[count * d],
            y = new double[count * e];
        for (int i = 0; i < count; i++)
        {
            for (int k = 0; k < d + e; k++)
            {
                double sum = 0;
                for (int l = 0; l <= k; l++)
                    sum += root[k, l] * z[i, l];
                (k < d ? ref x[(i * d) + k] : ref y[(i * e) + k - d]) = sum;
            }
        }
        return (new Matrix(count, d, x), new Matrix(count, e, y));
    }

    public static Matrix Identity(int d) => new(d, d, [.. Enumerable.Range(0, d * d).Select(k => k / d == k % d ? 1.0 : 0)]);
}
