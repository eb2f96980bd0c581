using System.Diagnostics;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Sparse;

/// <summary>L-BFGS on a negative dual until both marginals are met; the objective is once differentiable, so that tight tolerances take long.</summary>
internal sealed class FirstOrder(SparseProblem problem, SolverOptions options, CancellationToken cancellation)
{
    readonly Stopwatch _clock = Stopwatch.StartNew();

    /// <summary>Errors relative to the mass, one per step.</summary>
    public List<double> Errors { get; } = [];

    /// <summary>Minimises from x, which is moved; the gradient is what the marginals miss.</summary>
    /// <param name="objective">The negative dual.</param>
    /// <param name="x">Where to start.</param>
    /// <param name="curvature">Size of the second derivatives: 1/γ and the like.</param>
    public Ending Run(Lbfgs.Objective objective, double[] x, double curvature)
    {
        var search = new Lbfgs(objective, x);
        while (true)
        {
            double error = System.Numerics.Tensors.TensorPrimitives.SumOfMagnitudes(search.Gradient) / problem.Mass;
            Errors.Add(error);
            options.Progress?.Report(new SolverProgress(Errors.Count - 1, error, _clock.Elapsed, double.NaN));
            if (error <= options.Tolerance)
                return Ending.Converged;
            if (cancellation.IsCancellationRequested)
                return Ending.Cancelled;
            if (Errors.Count > options.MaxIterations)
                return Ending.StepLimit;
            if (!search.Step(1 / curvature))
                return Ending.Stalled;
        }
    }
}
