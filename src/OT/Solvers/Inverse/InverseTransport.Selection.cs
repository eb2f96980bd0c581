using System.Collections.Immutable;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Inverse;

public sealed partial class InverseTransport
{
    /// <summary>λ by the loss of pairs that were held out, and the answer on all pairs at it.</summary>
    /// <param name="problem">A problem whose coupling was observed as pairs; its own λ plays no part.</param>
    /// <param name="lambdas">λ, 0 or more. When empty, 30 from λ_max of all pairs down to a thousandth of it.</param>
    /// <param name="folds">Parts that are held out in turn, 2 to the number of pairs; 5 by default.</param>
    /// <param name="seed">Seed of the parts.</param>
    /// <param name="cancellation">Stops with an exception: half a table chooses nothing, and no time limit cuts it short.</param>
    /// <exception cref="ArgumentException">A λ is negative or not finite, or the coupling was not observed as pairs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Too few or too many folds.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public InverseCrossValidation CrossValidate(
        InverseProblem problem,
        ReadOnlySpan<double> lambdas = default,
        int folds = 5,
        ulong seed = 0,
        CancellationToken cancellation = default
    )
    {
        (int Source, int Target)[] pairs = PairsOf(problem);
        ArgumentOutOfRangeException.ThrowIfLessThan(folds, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(folds, pairs.Length);
        using ManagedBackend? own = _backend is null ? new ManagedBackend() : null;
        IBackend backend = _backend ?? own!;
        double[] spread = Lambdas(problem, Checked(lambdas), backend, cancellation);
        var losses = new double[spread.Length][];
        for (int k = 0; k < losses.Length; k++)
            losses[k] = new double[folds];
        int[] order = new SeededRandom(seed).NextPermutation(pairs.Length);
        for (int fold = 0; fold < folds; fold++)
        {
            (int Source, int Target)[] held = [.. order.Where((_, at) => at % folds == fold).Select(k => pairs[k])],
                kept = [.. order.Where((_, at) => at % folds != fold).Select(k => pairs[k])];
            using var test = new PreparedInverse(Part(problem, held), WithoutLimit, backend, cancellation);
            using var prepared = new PreparedInverse(Part(problem, kept), WithoutLimit, backend, cancellation);
            ImmutableArray<InverseTransportResult> path = prepared.Path(spread);
            cancellation.ThrowIfCancellationRequested();
            for (int k = 0; k < path.Length; k++)
                losses[k][fold] = test.At([.. path[k].Theta]).Value;
        }
        double[] means = Array.ConvertAll(losses, row => row.Average()),
            errors = Array.ConvertAll(losses, row => StandardError(row));
        int best = 0;
        for (int k = 1; k < means.Length; k++)
            best = means[k] < means[best] ? k : best;
        int sparse = Array.FindIndex(means, mean => mean <= means[best] + errors[best]);
        return new InverseCrossValidation
        {
            Lambdas = [.. spread],
            Losses = [.. means],
            StandardErrors = [.. errors],
            Best = spread[best],
            Sparsest = spread[Math.Max(0, sparse)],
            Result = new InverseTransport(_options, backend).Solve(problem with { Lambda = spread[best] }, cancellation),
        };
    }

    /// <summary>How often each term is chosen when half of the pairs, drawn anew each time, are all there is.</summary>
    /// <param name="problem">A problem whose coupling was observed as pairs, at least two; its own λ plays no part.</param>
    /// <param name="lambdas">λ, 0 or more. When empty, 30 from λ_max of all pairs down to a thousandth of it.</param>
    /// <param name="draws">Halves that are drawn, positive; 50 by default.</param>
    /// <param name="seed">Seed of the draws.</param>
    /// <param name="cancellation">Stops with an exception; no time limit cuts the draws short.</param>
    /// <exception cref="ArgumentException">A λ is negative or not finite, or the coupling was not observed as pairs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No draw.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public InverseStability Stability(
        InverseProblem problem,
        ReadOnlySpan<double> lambdas = default,
        int draws = 50,
        ulong seed = 0,
        CancellationToken cancellation = default
    )
    {
        (int Source, int Target)[] pairs = PairsOf(problem);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(draws);
        if (pairs.Length < 2)
            throw new ArgumentException("There is one pair: half of the pairs needs two.", nameof(problem));
        using ManagedBackend? own = _backend is null ? new ManagedBackend() : null;
        IBackend backend = _backend ?? own!;
        double[] spread = Lambdas(problem, Checked(lambdas), backend, cancellation);
        var chosen = new Matrix(spread.Length, problem.Dictionary.Count).ToArray();
        var random = new SeededRandom(seed);
        for (int draw = 0; draw < draws; draw++)
        {
            (int Source, int Target)[] half =
            [
                .. random.NextPermutation(pairs.Length)[..(pairs.Length / 2)].Select(k => pairs[k]),
            ];
            using var prepared = new PreparedInverse(Part(problem, half), WithoutLimit, backend, cancellation);
            ImmutableArray<InverseTransportResult> path = prepared.Path(spread);
            cancellation.ThrowIfCancellationRequested();
            for (int k = 0; k < path.Length; k++)
            {
                foreach (int term in path[k].Support)
                    chosen[k, term] += 1.0 / draws;
            }
        }
        return new InverseStability { Lambdas = [.. spread], Frequencies = Matrix.From(chosen) };
    }

    InverseTransportOptions WithoutLimit => _options with { TimeLimit = Timeout.InfiniteTimeSpan };

    double[] Lambdas(InverseProblem problem, double[] asked, IBackend backend, CancellationToken cancellation)
    {
        if (asked.Length > 0)
            return [.. asked.OrderDescending()];
        using var prepared = new PreparedInverse(problem, WithoutLimit, backend, cancellation);
        return Spread(prepared.LambdaMax());
    }

    static (int Source, int Target)[] PairsOf(InverseProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (problem.Observed.Pairs is not { } count)
            throw new ArgumentException(
                "The coupling was not observed as pairs, so none can be held out: use ObservedCoupling.OfPairs or InverseProblem.FromPairs.",
                nameof(problem)
            );
        SparseMatrix masses = problem.Observed.Masses;
        var pairs = new List<(int, int)>(count);
        for (int i = 0; i < masses.Rows; i++)
        {
            ReadOnlySpan<int> columns = masses.RowColumns(i);
            for (int k = 0; k < columns.Length; k++)
                pairs.AddRange(Enumerable.Repeat((i, columns[k]), (int)Math.Round(masses.RowValues(i)[k] * count)));
        }
        return [.. pairs];
    }

    /// <summary>The problem of some pairs, between the points that occur in them.</summary>
    static InverseProblem Part(InverseProblem problem, (int Source, int Target)[] pairs)
    {
        int[] rows = [.. pairs.Select(pair => pair.Source).Distinct().Order()],
            columns = [.. pairs.Select(pair => pair.Target).Distinct().Order()];
        var observed = ObservedCoupling.OfPairs(
            [.. pairs.Select(pair => Array.BinarySearch(rows, pair.Source))],
            [.. pairs.Select(pair => Array.BinarySearch(columns, pair.Target))],
            rows.Length,
            columns.Length
        );
        return new InverseProblem(problem.Dictionary.Select(rows, columns), observed)
        {
            FixedCost = problem.FixedCost is null ? null : new Geometries.SelectedGeometry(problem.FixedCost, rows, columns),
            Epsilon = problem.Epsilon,
            Penalty = problem.Penalty,
            Constraint = problem.Constraint,
            Convention = problem.Convention,
        };
    }

    static double StandardError(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1) / values.Length);
    }
}
