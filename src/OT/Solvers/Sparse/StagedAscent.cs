using System.Diagnostics;
using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Sparse;

/// <summary>Newton's method over stages: γ falls to its value fourfold at a time, each stage warm.</summary>
internal sealed class StagedAscent(SparseProblem problem, SolverOptions options, RowBlocks blocks, CancellationToken cancellation)
{
    /// <summary>Share of the mass up to which an error at the start of a stage is taken as it is.</summary>
    const double NearEnough = 0.2;

    /// <summary>Share of the mass to which stages before the last are solved.</summary>
    const double StageError = 0.1;

    const double Factor = 4;
    const int MostRaises = 40;

    /// <summary>Bytes of one entry of the responses, twice.</summary>
    const long EntryBytes = 24;

    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly List<double> _errors = [];

    /// <summary>The quadratic problem from potentials g.</summary>
    public TransportResult Solve(double[] g, double gamma, Func<SolverStatus> stopped)
    {
        Geometry geometry = CostMatrix.Quick(problem.Problem.Geometry, CostMatrix.TabulatedBytes);
        var ascent = new SemiDualAscent(geometry, problem.A, problem.B, blocks, g);
        SemiDualAscent.Ending ending = Ascend(ascent, gamma);
        SolverStatus status = ending switch
        {
            SemiDualAscent.Ending.Converged => SolverStatus.Converged,
            SemiDualAscent.Ending.StepLimit => SolverStatus.IterationLimit,
            SemiDualAscent.Ending.Stalled => SolverStatus.Stalled,
            _ => stopped(),
        };
        return problem.Answer(
            status,
            ascent.Steps,
            _errors,
            ascent.At.ToMatrix(),
            problem.Complete(ascent.At.F, ascent.G),
            string.Create(
                CultureInfo.InvariantCulture,
                $"{ascent.Steps} steps, {ascent.Passes} passes over the costs, {ascent.Products} products with the support."
            )
        );
    }

    SemiDualAscent.Ending Ascend(SemiDualAscent ascent, double gamma)
    {
        double stage = gamma;
        if (!ascent.Enter(stage, 0, int.MaxValue, cancellation))
            return SemiDualAscent.Ending.Cancelled;
        double error = double.PositiveInfinity;
        for (int raise = 0; raise < MostRaises && ascent.At.Error > NearEnough * problem.Mass && ascent.At.Error < 0.9 * error; raise++)
        {
            error = ascent.At.Error;
            stage *= Factor;
            if (!ascent.Enter(stage, 0, int.MaxValue, cancellation))
                return SemiDualAscent.Ending.Cancelled;
        }
        while (stage > gamma)
        {
            SemiDualAscent.Ending ending = ascent.Run(StageError * problem.Mass, options.MaxIterations, Report, cancellation);
            if (ending is SemiDualAscent.Ending.Cancelled or SemiDualAscent.Ending.StepLimit)
                return ending;
            stage = Math.Max(gamma, stage / Factor);
            if (!ascent.Enter(stage, 0, int.MaxValue, cancellation))
                return SemiDualAscent.Ending.Cancelled;
        }
        return ascent.Run(options.Tolerance * problem.Mass, options.MaxIterations, Report, cancellation);
    }

    void Report(double error)
    {
        _errors.Add(error / problem.Mass);
        options.Progress?.Report(new SolverProgress(_errors.Count, error / problem.Mass, _clock.Elapsed, double.NaN));
    }
}
