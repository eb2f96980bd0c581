using System.Numerics.Tensors;
using OT.Backends;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>
/// Entropic transport that draws each target to few classes of sources: <c>⟨C, P⟩ + ε KL(P | a ⊗ b) + η Σ_j Σ_c ((Σ_{i in c} P_ij + δ)^½ − δ^½)</c>, by majorisation and minimisation.
/// </summary>
/// <remarks>
/// Not convex: what is found depends on the start, the entropic plan. Each outer iteration solves an entropic problem with the costs <c>C_ij + η ½ (Σ_{i' in class(i)} P_i'j + δ)^−½</c>, in the log domain and started from
/// the last one's potentials; the objective never rises. δ = 10⁻³ of the mass, POT's constant, keeps it finite at empty classes. Sources without a label (−1) have no class term.
/// Courty, Flamary, Tuia, Rakotomamonjy, TPAMI 2017; docs/theory/sum-of-norms.md
/// </remarks>
public sealed class LpL1
{
    const double Power = 0.5;
    const double Delta = 1e-3;

    readonly ClassRegularizedOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">η, limits; defaults when left out.</param>
    /// <param name="backend">Where the inner iterations run; managed when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public LpL1(ClassRegularizedOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new ClassRegularizedOptions();
        _options.Validate();
        _backend = backend;
    }

    /// <summary>Solves one problem.</summary>
    /// <param name="problem">Balanced, with <see cref="EntropyRegularizer"/>.</param>
    /// <param name="labels">The class of each source, from 0 with any gaps; −1 for none.</param>
    /// <param name="cancellation">Ends the run with the last usable plan.</param>
    /// <exception cref="ArgumentException">There are not as many labels as sources, or one is below −1.</exception>
    /// <exception cref="NotSupportedException">The problem has no entropy, or penalties.</exception>
    public ClassRegularizedResult Solve(LinearProblem problem, ReadOnlySpan<int> labels, CancellationToken cancellation = default)
    {
        using var inner = new InnerSinkhorn(problem, labels, _options, _backend, cancellation);
        (int m, double eta) = (inner.Columns, _options.Eta);
        double delta = Delta * problem.A.Mass;
        var weights = new double[Math.Max(1, inner.Count * m)]; // η W, one row for each class
        (TransportPlan Plan, double Cost, double Entropy, double Classes)? last = null;
        while (true)
        {
            TransportResult plan = inner.Solve(
                (i, costs) => TensorPrimitives.Add(costs, weights.AsSpan(inner.Classes[i] * m, m), costs)
            );
            if (plan.Status == SolverStatus.Infeasible || !double.IsFinite(plan.Value))
                return inner.Answer(plan.Status, plan.Plan, double.NaN, double.NaN, double.NaN, plan.Message);
            // A plan that was stopped on its way to other costs may be far from its marginals.
            if (!plan.Converged && last is { } usable)
                return inner.Answer(plan.Status, usable.Plan, usable.Cost, usable.Entropy, usable.Classes, plan.Message);
            double[] sums = inner.Gather(
                (i, row, sum) =>
                {
                    if (inner.Classes[i] < 0)
                        return;
                    plan.Plan.Row(i, row);
                    Span<double> of = sum.Slice(inner.Classes[i] * m, m);
                    TensorPrimitives.Add(of, row, of);
                }
            );
            double linear = TensorPrimitives.Dot<double>(weights, sums),
                classes = 0;
            for (int k = 0; k < inner.Count * m; k++)
            {
                classes += eta * (Math.Pow(sums[k] + delta, Power) - Math.Pow(delta, Power));
                weights[k] = eta * Power * Math.Pow(sums[k] + delta, Power - 1);
            }
            double cost = plan.TransportCost - linear;
            last = (plan.Plan, cost, plan.RegularizerValue, classes);
            bool settled = inner.Settled(cost + plan.RegularizerValue + classes) || eta == 0 || inner.Count == 0;
            SolverStatus? stop =
                !plan.Converged ? plan.Status
                : settled ? SolverStatus.Converged
                : inner.Outer >= _options.MaxIterations ? SolverStatus.IterationLimit
                : null;
            if (stop is { } status)
                return inner.Answer(status, plan.Plan, cost, plan.RegularizerValue, classes, plan.Message);
        }
    }
}
