using System.Diagnostics;
using OT.Backends;
using OT.Neural;
using OT.Results;
using OT.Solvers;

namespace OT.Applications.Rebasin;

/// <summary>
/// Aligns two networks by gradient steps on relaxed permutations: each hidden layer's permutation is <see cref="SoftPermutation"/> of a free matrix of scores, and any
/// differentiable objective of the aligned network will do.
/// </summary>
/// <remarks>
/// <para>
/// Scores start at the identity plus noise and are moved by AdamW; every few steps the permutations of largest score are judged by the objective itself, and the best are kept. The answer is
/// never worse than its start. A step takes an entropic solve and a linear system of order 2h for each hidden layer of width h, O(h³), and a batch's forward and
/// backward pass where the objective is a loss. The same bits for the same seed.
/// </para>
/// <para>See docs/theory/rebasin.md. Source: Guerrero Peña et al., CVPR 2023.</para>
/// </remarks>
public sealed class SinkhornRebasin
{
    readonly RebasinOptions _options;

    /// <summary>Configures the method.</summary>
    /// <param name="options">Steps, temperature, seed; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public SinkhornRebasin(RebasinOptions? options = null)
    {
        _options = options ?? new RebasinOptions();
        _options.Validate();
    }

    /// <summary>Permutes A's hidden units so that A and B lie close or in one basin of the loss.</summary>
    /// <param name="a">The network to permute.</param>
    /// <param name="b">The network to align it with, of the same widths and activation.</param>
    /// <param name="objective">What is minimised; the distance of parameters by default.</param>
    /// <param name="task">Needed for the losses, and refused for the distances, which have no use for it.</param>
    /// <param name="start">Permutations to start from, such as those of <see cref="WeightMatching"/>; the identity when left out.</param>
    /// <param name="cancellation">Watched once per step and by every solve.</param>
    /// <returns>
    /// One iteration is one step. Converged when the aligned network equals B up to rounding, which is a global minimum of the distances, or when there is no hidden unit to permute; else why the steps ended,
    /// with the best permutations seen.
    /// </returns>
    /// <exception cref="ArgumentException">The networks differ in shape, a parameter is not finite or above 1e100, or task or start do not fit.</exception>
    public RebasinResult Align(
        Mlp a,
        Mlp b,
        RebasinObjective objective = RebasinObjective.L2,
        LearningTask? task = null,
        IReadOnlyList<int[]>? start = null,
        CancellationToken cancellation = default
    )
    {
        Alignment.Check(a, b);
        var aim = new RebasinAim(objective, b, task, _options);
        long began = Stopwatch.GetTimestamp();
        // The start's permutations are copied here and checked by being applied.
        int[][] first = start is null ? Alignment.Identity(a) : [.. start.Select(p => p?.ToArray() ?? [])];
        var best = new Best(a, aim, first);
        if (a.LayerCount == 1)
            return best.Result(SolverStatus.Converged, 0, "There is no hidden unit to permute.");
        using var backend = new ManagedBackend(threads: 1);
        var steps = new RebasinSteps(a, aim, first, _options, backend);
        int step = 0;
        SolverStatus? status = best.Verdict;
        while (status is null)
        {
            if (step == _options.MaxIterations)
                status = SolverStatus.IterationLimit;
            else if (_options.TimeLimit != Timeout.InfiniteTimeSpan && Stopwatch.GetElapsedTime(began) >= _options.TimeLimit)
                status = SolverStatus.TimeLimit;
            else
                status = steps.Step(cancellation);
            if (status is not null)
                break;
            step++;
            if (step % _options.CheckEvery != 0 && step != _options.MaxIterations)
                continue;
            double objectiveNow = best.Look(steps.Permutations());
            status = best.Verdict;
            _options.Progress?.Report(
                new(step, objectiveNow, Stopwatch.GetElapsedTime(began), (double)step / _options.MaxIterations)
            );
        }
        return best.Result(status.Value, step, steps.Message);
    }

    /// <summary>The best permutations seen.</summary>
    sealed class Best
    {
        readonly Mlp _a;
        readonly RebasinAim _aim;
        readonly List<double> _history = [];
        int[][] _permutations;
        Mlp _aligned;
        double _objective = double.PositiveInfinity;

        public Best(Mlp a, RebasinAim aim, int[][] start)
        {
            (_a, _aim, _permutations, _aligned) = (a, aim, start, a);
            Look(start);
        }

        /// <summary>Why there is no point in going on; null while there is.</summary>
        public SolverStatus? Verdict =>
            Alignment.AreEqual(_aligned, _aim.B) ? SolverStatus.Converged
            : double.IsFinite(_objective) ? null
            : SolverStatus.NumericalFailure;

        public double Look(int[][] permutations)
        {
            Mlp aligned = _a.Permute(permutations);
            double objective = _aim.Value(aligned);
            _history.Add(objective);
            if (objective < _objective || _history.Count == 1)
                (_permutations, _aligned, _objective) = (permutations, aligned, objective);
            return objective;
        }

        public RebasinResult Result(SolverStatus status, int iterations, string message) =>
            new()
            {
                Status = status,
                Iterations = iterations,
                Message = message,
                Permutations = _permutations,
                Aligned = _aligned,
                Objective = _objective,
                Distance = Alignment.Distance(_aligned, _aim.B),
                History = [.. _history],
            };
    }
}
