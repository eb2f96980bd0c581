using System.Diagnostics;
using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Sparse;

/// <summary>Newton's method over stages, each warm: γ falls to its value fourfold at a time, then, with a limit on entries, the smoothing σ.</summary>
internal sealed class StagedAscent(SparseProblem problem, SolverOptions options, RowBlocks blocks, CancellationToken cancellation)
{
    /// <summary>Share of the mass up to which an error at the start of a stage is taken as it is.</summary>
    const double NearEnough = 0.2;

    /// <summary>Share of the mass to which stages before the last are solved.</summary>
    const double StageError = 1e-3;

    const double Factor = 4;

    /// <summary>How far γ is raised at most to begin with.</summary>
    const double MostRaise = 1e12;

    /// <summary>A stage with a larger γ is a longer way: it begins only where the error is less by such a factor.</summary>
    const double WorthARaise = 0.9;

    /// <summary>Entries of the responses beyond which γ is not raised.</summary>
    const long MostEntries = 20_000_000;

    /// <summary>Steps on the problem itself, without smoothing, before its kinks are taken to be in the way.</summary>
    const int ExactSteps = 30;

    /// <summary>Smoothing stays at this share of γ: measured from the plan before, it does no harm, and Newton's systems stay well conditioned.</summary>
    const double LeastSmoothing = 0.01;

    /// <summary>Rounds after which it falls on all the same, for the rare problem whose plans creep.</summary>
    const int PatientRounds = 20;

    const int MostRounds = 60;

    /// <summary>By so much the error is asked to be less where it is small enough and the gap is not, down to such a share of the tolerance.</summary>
    const double GapFactor = 64;

    const double LeastShare = 1e-4;

    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly List<double> _errors = [];
    readonly SemiDualAscent _ascent = new(problem.Geometry, problem.A, problem.B, blocks, new Shortlists(problem.Geometry));

    double Wanted => options.Tolerance * problem.Mass;

    /// <summary>Errors relative to the mass, one per step that was taken.</summary>
    public IReadOnlyList<double> Errors => _errors;

    public int Steps => _ascent.Steps;

    public double[] G => _ascent.G;

    /// <summary>The responses to <see cref="G"/>.</summary>
    public Responses At => _ascent.At;

    /// <summary>Responses to <see cref="G"/> without smoothing; null when stopped.</summary>
    public Responses? Exact(double gamma, int most, CancellationToken stop) => _ascent.Respond(gamma, most, stop);

    /// <summary>What was done, in words.</summary>
    public string Account =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{_ascent.Steps} steps, {_ascent.Passes} passes over the costs, {_ascent.Products} products with the support."
        );

    /// <summary>The quadratic problem from potentials g.</summary>
    public Ending Quadratic(double[] g, double gamma) => Quadratic(g, gamma, Wanted);

    Ending Quadratic(double[] g, double gamma, double tolerance)
    {
        _ascent.Start(g);
        if (!Enter(gamma))
            return Ending.Cancelled;
        (double stage, double error) = (gamma, At.Error);
        // Beyond, every pair carries mass, and plans hardly depend on the costs.
        CostStatistics costs = problem.Geometry.Statistics;
        double full = (costs.Max - costs.Min) * problem.A.Length * problem.B.Length / problem.Mass;
        double most = Math.Min(full, MostRaise * gamma);
        for (double tried = gamma * Factor; error > NearEnough * problem.Mass && At.Error < 2 * error; tried *= Factor)
        {
            if (!Enter(tried))
                return Ending.Cancelled;
            if (At.Error < WorthARaise * error)
                (stage, error) = (tried, At.Error);
            if (tried > most || At.Entries > MostEntries)
                break;
        }
        if (!Enter(stage))
            return Ending.Cancelled;
        double[]? before = null;
        while (stage > gamma)
        {
            Ending ending = Run(StageError * problem.Mass);
            if (ending is Ending.Cancelled or Ending.StepLimit)
                return ending;
            stage = Math.Max(gamma, stage / Factor);
            if (!Follow(ref before, stage))
                return Ending.Cancelled;
        }
        return Run(tolerance);
    }

    /// <summary>At most k entries a row, from potentials g: <see cref="At"/> are then the responses of the relaxation, smoothed where rows are tied.</summary>
    /// <param name="g">Where to start.</param>
    /// <param name="gamma">γ.</param>
    /// <param name="most">k.</param>
    /// <param name="isCertified">Whether the smoothed responses are near enough to the optimum of the relaxation.</param>
    public Ending Limited(double[] g, double gamma, int most, Func<StagedAscent, bool> isCertified)
    {
        Ending ending = Quadratic(g, gamma, StageError * problem.Mass);
        if (ending is Ending.Cancelled or Ending.StepLimit)
            return ending;
        SparseMatrix? centre = null;
        (double sigma, double tolerance) = (gamma, StageError * problem.Mass);
        for (int round = 0; round < MostRounds; round++, tolerance /= Factor)
        {
            if (!Enter(gamma, sigma, most, centre))
                return Ending.Cancelled;
            ending = Run(Math.Max(Wanted, tolerance));
            if (ending is Ending.Cancelled or Ending.StepLimit)
                return ending;
            if (At.Tied.Count == 0)
            {
                // No row is smoothed: the problem itself may be as smooth as this one.
                double[] smooth = [.. G];
                if (!Enter(gamma, 0, most))
                    return Ending.Cancelled;
                ending = Run(Wanted, ExactSteps);
                // Heavy columns may meet the tolerance where light ones, at far prices, are still missed: the gap tells.
                for (double error = Wanted; Solves(ending) && !isCertified(this); error /= GapFactor)
                {
                    if (error < Wanted * LeastShare)
                        return Ending.Stalled;
                    ending = Run(error / GapFactor, ExactSteps);
                }
                if (ending == Ending.Cancelled || Solves(ending))
                    return ending;
                _ascent.Start(smooth);
                if (!Enter(gamma, sigma, most, centre))
                    return Ending.Cancelled;
            }
            else if (isCertified(this))
            {
                ending = Run(Wanted);
                if (ending is Ending.Cancelled or Ending.StepLimit || (ending == Ending.Converged && isCertified(this)))
                    return ending;
            }
            centre = At.ToMatrix();
            sigma = round < PatientRounds ? Math.Max(LeastSmoothing * gamma, sigma / Factor) : Math.Max(1e-7 * gamma, sigma / 2);
        }
        return Ending.Stalled;
    }

    bool Solves(Ending ending) => ending == Ending.Converged && At.Tied.Count == 0;

    /// <summary>
    /// Enters the next stage along the path: g is piecewise linear in γ, so that the line through the last two answers is right as long as the support stays what it is.
    /// </summary>
    /// <param name="before">The answer before the last; null for none. Receives the last one.</param>
    /// <param name="gamma">γ of the stage.</param>
    bool Follow(ref double[]? before, double gamma)
    {
        double[] last = [.. G];
        double[]? line = before;
        before = last;
        if (!Enter(gamma))
            return false;
        if (line is null)
            return true;
        double here = At.Error;
        for (int j = 0; j < line.Length; j++)
            line[j] = last[j] + ((last[j] - line[j]) / Factor); // from 16 over 4 to 1: a quarter of the last move again
        _ascent.Start(line);
        if (!Enter(gamma))
            return false;
        if (At.Error < here)
            return true;
        _ascent.Start(last);
        return Enter(gamma);
    }

    /// <summary>Where a stage before the last was stopped: the responses of the problem itself to the potentials reached, whatever the clock says.</summary>
    public void Finish(Ending ending, double gamma, int most = int.MaxValue)
    {
        if (ending is Ending.Cancelled or Ending.StepLimit)
            _ascent.Enter(gamma, 0, most, null, CancellationToken.None);
    }

    bool Enter(double gamma, double sigma = 0, int most = int.MaxValue, SparseMatrix? centre = null) =>
        _ascent.Enter(gamma, sigma, most, centre, cancellation);

    Ending Run(double tolerance, int steps = int.MaxValue)
    {
        int most = (int)Math.Min(options.MaxIterations, (long)_ascent.Steps + steps);
        return _ascent.Run(tolerance, most, Report, cancellation);
    }

    void Report(double error)
    {
        _errors.Add(error / problem.Mass);
        options.Progress?.Report(new SolverProgress(_errors.Count, error / problem.Mass, _clock.Elapsed, double.NaN));
    }
}
