namespace OT.Solvers.Inverse;

/// <summary>The loss at one parameter, in the cost's own sign.</summary>
/// <param name="Theta">θ, p numbers.</param>
/// <param name="Value">L(θ), an upper bound of it where the inner solve was cut short.</param>
/// <param name="Gradient"><c>⟨c_k, P̂ − P_θ⟩</c>.</param>
/// <param name="Tolerance">What was asked of the inner solve.</param>
/// <param name="MarginalError">What it reached.</param>
internal sealed record Evaluation(double[] Theta, double Value, double[] Gradient, double Tolerance, double MarginalError)
{
    /// <summary>Potentials of the centred cost; empty for closed forms.</summary>
    public double[] F { get; init; } = [];

    /// <summary>Likewise.</summary>
    public double[] G { get; init; } = [];
}

/// <summary>The Hessian of L in some of the terms, and how the potentials answer to each of them.</summary>
/// <param name="Values">One row for each term.</param>
/// <param name="U">Derivative of f in each term; empty for closed forms.</param>
/// <param name="V">Derivative of g in each term.</param>
internal sealed record HessianBlock(double[][] Values, double[][] U, double[][] V);

/// <summary>A smooth convex loss of a parameter, <c>L(θ) = ⟨c_θ, P̂⟩ − OT_ε(c_θ) + const</c>: sampled, or Gaussian.</summary>
internal abstract class InverseModel
{
    /// <summary>p.</summary>
    public abstract int Count { get; }

    /// <summary>ε in cost units.</summary>
    public abstract double Epsilon { get; }

    /// <summary>Standard deviation of each term under a ⊗ b once its means are taken off; 0 where a term is a function of x plus one of y.</summary>
    public abstract double[] Deviations { get; }

    /// <summary>How much of the L1 error of a plan a gradient can show, in deviations: the largest <c>max |c_k|</c> over its deviation.</summary>
    public abstract double Sensitivity { get; }

    /// <summary>What ran.</summary>
    public virtual string Backend => "";

    /// <summary>L and its gradient; null where the cost is too large beside ε to be resolved.</summary>
    /// <param name="theta">θ.</param>
    /// <param name="tolerance">L1 error of the plan's marginals.</param>
    /// <param name="f">Potentials to start from; empty for none.</param>
    /// <param name="g">Likewise.</param>
    public abstract Evaluation? Evaluate(double[] theta, double tolerance, double[] f, double[] g);

    /// <summary>Residual of linear systems where a Hessian is the answer.</summary>
    public const double ExactSystems = 1e-12;

    /// <summary>The Hessian between some of the terms.</summary>
    /// <param name="at">Where.</param>
    /// <param name="terms">Which.</param>
    /// <param name="tolerance">Relative residual of its linear systems.</param>
    public abstract HessianBlock Hessian(Evaluation at, int[] terms, double tolerance);

    /// <summary>The Hessian of all terms times a vector.</summary>
    public abstract double[] HessianTimes(Evaluation at, double[] v);
}
