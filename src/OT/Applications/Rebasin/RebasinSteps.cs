using System.Globalization;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Neural;
using OT.Numerics;
using OT.Results;
using OT.Solvers.Entropic;

namespace OT.Applications.Rebasin;

/// <summary>The scores of <see cref="SinkhornRebasin"/> and their gradient steps.</summary>
sealed class RebasinSteps
{
    /// <summary>X/τ beyond this has no digits left for an exponent.</summary>
    const double LargestExponent = 1L << 40;

    readonly Mlp _a;
    readonly RebasinAim _aim;
    readonly RebasinOptions _options;
    readonly IBackend _backend;
    readonly SinkhornOptions _sinkhorn;
    readonly double[][] _scores;
    readonly Adam[] _adam;
    readonly Potentials?[] _potentials;
    readonly double[] _gradient;
    int _solves;
    int _inexact;
    double _largestError;

    public RebasinSteps(Mlp a, RebasinAim aim, int[][] start, RebasinOptions options, IBackend backend)
    {
        (_a, _aim, _options, _backend) = (a, aim, options, backend);
        _sinkhorn = new SinkhornOptions { Tolerance = options.Tolerance };
        var random = new SeededRandom(options.Seed);
        _scores = Array.ConvertAll(
            start,
            permutation =>
            {
                double[] x = Alignment.ToMatrix(permutation).Values.ToArray();
                foreach (ref double score in x.AsSpan())
                    score += options.InitialNoise * random.NextNormal();
                return x;
            }
        );
        _adam = Array.ConvertAll(_scores, x => new Adam(x.Length, options.Adam));
        _potentials = new Potentials?[start.Length];
        _gradient = new double[a.Parameters.Length];
    }

    /// <summary>What the reader of the result should know.</summary>
    public string Message =>
        _inexact == 0
            ? ""
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{_inexact} of {_solves} soft permutations missed their tolerance, by up to {_largestError:E1} in L1, and so did their derivatives."
            );

    /// <summary>The permutations of largest score.</summary>
    public int[][] Permutations() => [.. Enumerable.Range(0, _scores.Length).Select(l => SoftPermutation.Harden(Scores(l)))];

    /// <summary>One gradient step.</summary>
    /// <returns>Null, or why it could not be made.</returns>
    public SolverStatus? Step(CancellationToken cancellation)
    {
        SoftPermutation[] soft = [.. Enumerable.Range(0, _scores.Length).Select(l => Soften(l, cancellation))];
        if (cancellation.IsCancellationRequested)
            return SolverStatus.Cancelled;
        Matrix[] plans = Array.ConvertAll(soft, s => s.Plan);
        _aim.Gradient(Alignment.Apply(_a, plans), _gradient);
        if (!double.IsFinite(TensorPrimitives.MaxMagnitude<double>(_gradient)))
            return SolverStatus.NumericalFailure;
        // All derivatives belong to the same point: no scores move before the last of them.
        Matrix[] steps = [.. soft.Select((s, l) => s.Backward(Alignment.PlanGradient(_a, _gradient, plans, l)))];
        if (!Array.TrueForAll(steps, step => double.IsFinite(TensorPrimitives.MaxMagnitude(step.Values))))
            return SolverStatus.NumericalFailure;
        for (int l = 0; l < steps.Length; l++)
            _adam[l].Step(_scores[l], steps[l].Values);
        return Array.TrueForAll(_scores, AreResolved) ? null : SolverStatus.NumericalFailure;
    }

    bool AreResolved(double[] scores) =>
        Math.Abs(TensorPrimitives.MaxMagnitude<double>(scores)) <= LargestExponent * _options.Temperature;

    SoftPermutation Soften(int layer, CancellationToken cancellation)
    {
        var soft = new SoftPermutation(
            Scores(layer),
            _options.Temperature,
            _sinkhorn,
            _backend,
            _potentials[layer],
            cancellation
        );
        _solves++;
        if (!soft.Result.Converged)
        {
            _inexact++;
            _largestError = Math.Max(_largestError, soft.Result.MarginalError);
        }
        _potentials[layer] = soft.Result.Potentials;
        return soft;
    }

    Matrix Scores(int layer) => new(_a.Widths[layer + 1], _a.Widths[layer + 1], _scores[layer]);
}
