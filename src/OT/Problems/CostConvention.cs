namespace OT.Problems;

/// <summary>What θ and ε of an <see cref="InverseProblem"/> mean.</summary>
public enum CostConvention
{
    /// <summary><c>min ⟨c_θ, P⟩ + ε KL(P | a ⊗ b)</c>: the convention of this library.</summary>
    Cost,

    /// <summary><c>max ⟨c_θ, P⟩ − (ε/2) KL(P | a ⊗ b)</c>, as in matching markets: the cost is −c_θ and its ε is half of this one. λ, losses and fixed costs are the same in both.</summary>
    Surplus,
}
