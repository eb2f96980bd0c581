using OT.Numerics;
using OT.Problems;

namespace OT.Solvers.Classes;

/// <summary>For which λ the classes of a partition are found: from where rows and columns are equal within classes, and where whole classes merge.</summary>
/// <param name="SufficientLambda">
/// From here on rows of a class are equal per unit of mass, and columns too: proved by dual vectors that are written down. Sufficient, not tight; <c>+∞</c> where nothing is proved, as where a class is not connected by
/// pairs of its own.
/// </param>
/// <param name="MergingLambda">The λ from which on two classes are one; <c>+∞</c> where no pair joins classes; NaN where a solve on the way did not converge. Found by bisection over solves, to a twentieth.</param>
public sealed record RecoveryReport(double SufficientLambda, double MergingLambda)
{
    const double Resolution = 1.05;

    /// <summary>Share of the end of the path at which a search begins that has no λ to begin with.</summary>
    const double LeastShare = 1e-6;

    /// <summary>Whether there is a λ at which exactly these classes are proved to be found.</summary>
    public bool IsRecoverable => SufficientLambda < MergingLambda;

    /// <summary>Evaluates a proposed partition.</summary>
    /// <param name="problem">Balanced, with a <see cref="SumOfNormsRegularizer"/> whose λ is not looked at.</param>
    /// <param name="rowClasses">The class of each row, from 0.</param>
    /// <param name="columnClasses">The class of each column, from 0.</param>
    /// <param name="options">How the problems of the bisection are solved; defaults when left out.</param>
    /// <param name="cancellation">Ends the report with an exception.</param>
    /// <remarks>Some 10 solves, each started from the last one, where pairs join classes; else one linear system for each bin.</remarks>
    /// <exception cref="ArgumentException">There are not as many classes as bins, or one is negative; or weights differ within a class while the other side has pairs, where nothing is known.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static RecoveryReport Of(
        LinearProblem problem,
        ReadOnlySpan<int> rowClasses,
        ReadOnlySpan<int> columnClasses,
        SumOfNormsOptions? options = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        SumOfNormsRegularizer regularizer = SumOfNorms.Checked(problem);
        int[] rows = Numbered(rowClasses, problem.A, regularizer.Columns, nameof(rowClasses)),
            columns = Numbered(columnClasses, problem.B, regularizer.Rows, nameof(columnClasses));
        Matrix costs = Fusion.Costs(problem, cancellation);
        double top = SumOfNorms.EndOfPath(problem, regularizer, costs, cancellation),
            sufficient = Math.Max(
                Fusion.OfRows(problem, costs, rows, cancellation),
                Fusion.OfColumns(problem, costs, columns, cancellation)
            );
        bool joined =
            regularizer.Rows.Pairs.Any(p => rows[p.First] != rows[p.Second])
            || regularizer.Columns.Pairs.Any(p => columns[p.First] != columns[p.Second]);
        if (!joined || !double.IsFinite(sufficient) || !double.IsFinite(top))
            return new(sufficient, double.PositiveInfinity);
        return new(sufficient, Merging(problem, rows, columns, sufficient, top, options, cancellation));
    }

    static double Merging(
        LinearProblem problem,
        int[] rows,
        int[] columns,
        double sufficient,
        double top,
        SumOfNormsOptions? options,
        CancellationToken cancellation
    )
    {
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        var solver = new SumOfNorms(options);
        (int kinds, int sorts) = (rows.Distinct().Count(), columns.Distinct().Count());
        SumOfNormsResult? last = null;
        bool unsolved = false;
        bool Merged(double lambda)
        {
            LinearProblem at = problem with
            {
                Regularizer = new SumOfNormsRegularizer(lambda, regularizer.Rows, regularizer.Columns)
                {
                    NormalizesByMass = regularizer.NormalizesByMass,
                },
            };
            last = last is null ? solver.Solve(at, cancellation) : solver.Solve(at, last, cancellation);
            cancellation.ThrowIfCancellationRequested();
            unsolved |= !last.Converged;
            return last.RowClusters.Distinct().Count() < kinds || last.ColumnClusters.Distinct().Count() < sorts;
        }
        double low = sufficient,
            high = Math.Max(top, sufficient * Resolution);
        if (low == 0)
        {
            // Classes of equal points are found at any λ: the search needs some beginning.
            low = top * LeastShare;
            if (low == 0)
                return 0;
        }
        if (Merged(low))
            return low;
        while (high > low * Resolution)
        {
            double middle = Math.Sqrt(low * high);
            (low, high) = Merged(middle) ? (low, middle) : (middle, high);
        }
        return unsolved ? double.NaN : high;
    }

    static int[] Numbered(ReadOnlySpan<int> classes, Measure measure, PairWeights others, string name)
    {
        ClassLabels.Check(classes, measure.Count);
        (int[] numbered, _) = ClassLabels.Renumber(classes);
        var weightOf = new Dictionary<int, double>();
        for (int i = 0; i < numbered.Length; i++)
        {
            if (numbered[i] < 0)
                throw new ArgumentException($"{name}[{i}] is -1: every bin needs a class here.", name);
            double weight = measure.Weights[i];
            if (!weightOf.TryAdd(numbered[i], weight) && weightOf[numbered[i]] != weight && others.Pairs.Length > 0)
            {
                throw new ArgumentException(
                    $"The weights of class {classes[i]} in {name} differ, and the other side has pairs: no bound is known there. Give equal weights within classes.",
                    name
                );
            }
        }
        return numbered;
    }
}
