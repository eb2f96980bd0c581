namespace OT.Solvers.Entropic;

/// <summary>How <see cref="SparseNewton"/> thins the plan and judges its steps. See docs/theory/sparse-newton.md.</summary>
public enum SparseNewtonStrategy
{
    /// <summary>Safe and sparse: a bounded mass is dropped from each row and column, a shift follows the gradient, steps are accepted by decrease (Tang and Qiu, NeurIPS 2024).</summary>
    Ssns,

    /// <summary>Sparse Newton as first published: a fixed number of entries, no shift, a backtracking line search (Tang et al., ICLR 2024).</summary>
    Sns,

    /// <summary>Sparse plus low rank: a density that adapts, and the last step's curvature as BFGS would add it (Wang and Qiu, ICML 2025). For plans that are not thin.</summary>
    Splr,
}
