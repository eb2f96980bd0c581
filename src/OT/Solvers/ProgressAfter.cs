namespace OT.Solvers;

/// <summary>Progress of a later phase of a solve: iterations and time of the phases before are added.</summary>
internal sealed class ProgressAfter(IProgress<SolverProgress> next, int iterations, TimeSpan elapsed) : IProgress<SolverProgress>
{
    public void Report(SolverProgress value) =>
        next.Report(value with { Iteration = iterations + value.Iteration, Elapsed = elapsed + value.Elapsed });
}
