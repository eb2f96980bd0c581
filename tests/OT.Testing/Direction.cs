using OT.Geometries;
using OT.Numerics;
using OT.Problems;

namespace OT.Testing;

/// <summary>A way to change an entropic problem, and difference quotients along it.</summary>
/// <param name="Costs">Change of C; null for none.</param>
/// <param name="A">Change of a; null for none.</param>
/// <param name="B">Change of b; null for none.</param>
/// <param name="Epsilon">Change of ε.</param>
public sealed record Direction(double[,]? Costs = null, double[]? A = null, double[]? B = null, double Epsilon = 0)
{
    /// <summary>A change of costs by up to ε; forbidden pairs stay forbidden.</summary>
    public static Direction OfCosts(LinearProblem problem, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problem);
        var random = new SeededRandom(seed);
        double epsilon = EpsilonOf(problem);
        var change = new double[problem.Geometry.Rows, problem.Geometry.Columns];
        for (int i = 0; i < change.GetLength(0); i++)
        {
            for (int j = 0; j < change.GetLength(1); j++)
                change[i, j] = epsilon * ((2 * random.NextDouble()) - 1);
        }
        return new Direction(change);
    }

    /// <summary>A change of positive weights by up to their size, of equal sum on both sides where the problem is balanced.</summary>
    public static Direction OfWeights(LinearProblem problem, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problem);
        var random = new SeededRandom(seed);
        double[] a = Array.ConvertAll(problem.A.Weights.ToArray(), w => w * ((2 * random.NextDouble()) - 1));
        double[] b = Array.ConvertAll(problem.B.Weights.ToArray(), w => w * ((2 * random.NextDouble()) - 1));
        if (problem.IsBalanced)
        {
            double missing = Oracles.Sum(a) - Oracles.Sum(b);
            for (int j = 0; j < b.Length; j++)
                b[j] += missing * problem.B.Weights[j] / problem.B.Mass;
        }
        return new Direction(A: a, B: b);
    }

    /// <summary>A change of ε by itself.</summary>
    public static Direction OfEpsilon(LinearProblem problem) => new(Epsilon: EpsilonOf(problem));

    /// <summary>The problem moved by t times the direction, its costs in a table and its ε absolute.</summary>
    public LinearProblem Move(LinearProblem problem, double t)
    {
        ArgumentNullException.ThrowIfNull(problem);
        var costs = new double[problem.Geometry.Rows, problem.Geometry.Columns];
        for (int i = 0; i < costs.GetLength(0); i++)
        {
            for (int j = 0; j < costs.GetLength(1); j++)
                costs[i, j] = problem.Geometry.Cost(i, j) + (Costs is null ? 0 : t * Costs[i, j]);
        }
        return new LinearProblem(new CostMatrix(costs), Moved(problem.A, A, t), Moved(problem.B, B, t))
        {
            Regularizer = Regularizer.Entropy(Problems.Epsilon.Absolute(EpsilonOf(problem) + (t * Epsilon))),
            PenaltyA = problem.PenaltyA,
            PenaltyB = problem.PenaltyB,
        };
    }

    /// <summary><c>d/dt value(problem + t direction)</c> at 0 by the five-point stencil, whose error is of order t⁴.</summary>
    public double Quotient(LinearProblem problem, Func<LinearProblem, double> value, double step = 1e-3) =>
        Stencil(t => value(Move(problem, t)), step);

    /// <summary>
    /// Refuses a derivative that is not the quotient. Where a step of 1e-3 is too long for the fourth order to hold (next to a vertex of the plans, all changes within
    /// the small masses), one of a quarter decides, whose truncation is a 256th of the first's: a sixteenth of their difference is allowed.
    /// </summary>
    public void Check(LinearProblem problem, Func<LinearProblem, double> value, double derivative, double tolerance, string what)
    {
        const double step = 1e-3;
        double first = Quotient(problem, value, step);
        if (Math.Abs(first - derivative) <= tolerance)
            return;
        double second = Quotient(problem, value, step / 4);
        // Rounding of the values counts four times as much.
        Approx.Equal(second, derivative, (4 * tolerance) + (Math.Abs(first - second) / 16), what);
    }

    /// <summary><c>F'(0)</c> by the five-point stencil, whose error is of order step⁴.</summary>
    public static double Stencil(Func<double, double> value, double step = 1e-3)
    {
        ArgumentNullException.ThrowIfNull(value);
        return ((8 * (value(step) - value(-step))) - (value(2 * step) - value(-2 * step))) / (12 * step);
    }

    /// <summary>The sum of derivatives times changes, and of its terms' sizes; changes of 0 count for nothing, whatever the derivative.</summary>
    public static (double Sum, double Size) Along(ReadOnlySpan<double> gradient, ReadOnlySpan<double> change)
    {
        double sum = 0,
            size = 0;
        for (int k = 0; k < change.Length; k++)
        {
            if (change[k] == 0)
                continue;
            sum += gradient[k] * change[k];
            size += Math.Abs(gradient[k] * change[k]);
        }
        return (sum, size);
    }

    static Measure Moved(Measure measure, double[]? change, double t)
    {
        double[] weights = measure.Weights.ToArray();
        for (int k = 0; k < weights.Length && change is not null; k++)
            weights[k] += t * change[k];
        return Measure.Of(weights);
    }

    static double EpsilonOf(LinearProblem problem) => ((EntropyRegularizer)problem.Regularizer).Epsilon.Resolve(problem.Geometry);
}
