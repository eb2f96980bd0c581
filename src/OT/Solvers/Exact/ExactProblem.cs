using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>What the exact solvers share: which problems they take, masses made equal, and answers put together.</summary>
internal sealed class ExactProblem
{
    /// <summary>Largest cost whose sums along a path of the tree stay finite.</summary>
    const double LargestCost = 1e300;

    /// <summary>Relative error of a sum, per term.</summary>
    public const double Rounding = 2.22e-16;

    ExactProblem(LinearProblem problem)
    {
        Problem = problem;
        Supply = problem.A.Weights.ToArray();
        Demand = problem.B.Weights.ToArray();
        // Multiplying first by the larger mass's inverse could underflow; the ratio itself is within the slack of 1.
        double ratio = problem.A.Mass / problem.B.Mass;
        if (problem.MassesAgree && ratio != 1)
        {
            System.Numerics.Tensors.TensorPrimitives.Multiply(Demand, ratio, Demand);
            // Masses that differ by the rounding of their own sums need no remark.
            if (Math.Abs(ratio - 1) > Rounding * (problem.A.Count + problem.B.Count))
            {
                Message = Text(
                    $"The masses {problem.A.Mass:G17} and {problem.B.Mass:G17} agree up to rounding: b was multiplied by {ratio:G17}."
                );
            }
        }
    }

    /// <summary>Checks that an exact solver can take the problem.</summary>
    public static ExactProblem Of(LinearProblem problem, string solver)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (!Takes(problem))
        {
            throw new NotSupportedException(
                problem.Regularizer is NoRegularizer
                    ? $"{solver} needs exact marginals: give the problem Regularizer.Entropy and use Sinkhorn for marginal penalties."
                    : $"{solver} solves the unregularised problem; use Sinkhorn for Regularizer.Entropy."
            );
        }
        return new ExactProblem(problem);
    }

    /// <summary>Whether the problem is unregularised and balanced.</summary>
    public static bool Takes(LinearProblem problem) => problem.Regularizer is NoRegularizer && problem.IsBalanced;

    public LinearProblem Problem { get; }

    /// <summary>a.</summary>
    public double[] Supply { get; }

    /// <summary>b, scaled to the mass of a.</summary>
    public double[] Demand { get; }

    /// <summary>What was done to the masses; empty when nothing was.</summary>
    public string Message { get; private set; } = "";

    public int Rows => Supply.Length;

    public int Columns => Demand.Length;

    public double Mass => Problem.A.Mass;

    /// <summary>Mass that is no more than rounding in the given marginals.</summary>
    public double Slack => Math.Max(Problem.A.MassSlack, Problem.B.MassSlack) * Mass;

    /// <summary>Adds a sentence to the message.</summary>
    public void Remark(string text) => Message = Message.Length == 0 ? text : $"{Message} {text}";

    public void CheckMagnitude(double maxMagnitude)
    {
        if (maxMagnitude <= LargestCost)
            return;
        var row = new double[Columns];
        for (int i = 0; i < Rows; i++)
        {
            Problem.Geometry.CostRow(i, row);
            for (int j = 0; j < row.Length; j++)
            {
                if (Math.Abs(row[j]) > LargestCost && !double.IsPositiveInfinity(row[j]))
                {
                    throw new ArgumentException(
                        Text(
                            $"The cost in row {i} and column {j} is {row[j]}, and sums of costs overflow: scale the costs down below {LargestCost}."
                        )
                    );
                }
            }
        }
    }

    /// <summary>The answer when the masses differ by more than the slack; null when they agree.</summary>
    public TransportResult? RefuseUnequalMasses() =>
        Problem.MassesAgree
            ? null
            : Answer(
                SolverStatus.Infeasible,
                0,
                [],
                null,
                Text(
                    $"The masses differ: a sums to {Problem.A.Mass:G17}, b to {Problem.B.Mass:G17}. Balanced transport needs equal masses; scale one side, or use marginal penalties."
                )
            );

    /// <summary>
    /// Makes potentials of the rows with mass dual feasible and complete: <c>g_j = min_i C_ij − f_i</c>, then <c>f_i = min_j C_ij − g_j</c> for rows
    /// without mass. A value that no arc bounds is 0. Cost: one pass over the arcs.
    /// </summary>
    public Potentials? CleanPotentials(Arcs arcs, ReadOnlySpan<double> f)
    {
        double[] clean = f.ToArray();
        var g = new double[Columns];
        Array.Fill(g, double.PositiveInfinity);
        for (int i = 0; i < Rows; i++)
        {
            if (Supply[i] > 0)
                arcs.Lower(i, clean[i], g);
        }
        Bound(g);
        for (int i = 0; i < Rows; i++)
        {
            if (!(Supply[i] > 0))
                clean[i] = arcs.Min(i, g);
        }
        Bound(clean);
        foreach (double value in (ReadOnlySpan<double>)[.. clean, .. g])
        {
            if (!double.IsFinite(value))
                return null;
        }
        return new Potentials(clean, g).Centred(Problem.A, Problem.B);
    }

    static void Bound(Span<double> potentials)
    {
        foreach (ref double value in potentials)
        {
            if (double.IsPositiveInfinity(value))
                value = 0;
        }
    }

    /// <summary>Puts the result together; value and marginal error are summed from the plan itself.</summary>
    public TransportResult Answer(
        SolverStatus status,
        int iterations,
        List<(int Row, int Column, double Mass)> shipments,
        Potentials? potentials,
        string message = ""
    )
    {
        var rows = new int[shipments.Count];
        var columns = new int[shipments.Count];
        var masses = new double[shipments.Count];
        Compensated cost = default;
        for (int k = 0; k < rows.Length; k++)
        {
            (rows[k], columns[k], masses[k]) = shipments[k];
            cost.Add(masses[k] * Problem.Geometry.Cost(rows[k], columns[k]));
        }
        var plan = new SparsePlan(SparseMatrix.FromTriples(Rows, Columns, rows, columns, masses));
        (double[] a, double[] b) = plan.Marginals();
        double error = Summation.L1Distance(a, Problem.A.Weights) + Summation.L1Distance(b, Problem.B.Weights);
        return Answer(status, iterations, plan, cost.Value, error, potentials, message);
    }

    /// <summary>Puts the result together from a plan, its cost and its marginal error.</summary>
    public TransportResult Answer(
        SolverStatus status,
        int iterations,
        SparsePlan plan,
        double cost,
        double marginalError,
        Potentials? potentials,
        string message = ""
    )
    {
        if (message.Length > 0)
            Remark(message);
        if (status == SolverStatus.Converged && !double.IsFinite(cost))
        {
            status = SolverStatus.NumericalFailure;
            Remark("The transport cost overflows: scale the costs or the masses down.");
        }
        return new TransportResult
        {
            Status = status,
            Iterations = iterations,
            Problem = Problem,
            Plan = plan,
            Potentials = potentials,
            TransportCost = cost,
            MarginalError = marginalError,
            Message = Message,
        };
    }

    /// <summary>Culture-free text.</summary>
    public static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>The first few of a list of indices.</summary>
    public static string Name(string kind, IReadOnlyCollection<int> indices)
    {
        const int named = 8;
        string list = string.Join(", ", indices.Take(named));
        string more = indices.Count > named ? $" and {indices.Count - named} more" : "";
        return $"{kind}{(indices.Count == 1 ? "" : "s")} {list}{more}";
    }
}
