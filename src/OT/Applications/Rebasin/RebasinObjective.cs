namespace OT.Applications.Rebasin;

/// <summary>What <see cref="SinkhornRebasin"/> minimises over the permutations of A; θ' are A's permuted parameters, N of them.</summary>
public enum RebasinObjective
{
    /// <summary><c>|θ' − θ_B|² / N</c>.</summary>
    L2,

    /// <summary><c>|θ' − θ_B|₁ / N</c>.</summary>
    L1,

    /// <summary><c>1 − ⟨θ', θ_B⟩ / (|θ'| |θ_B|)</c>.</summary>
    Cosine,

    /// <summary>The task's loss at <c>(θ' + θ_B)/2</c>.</summary>
    MidPoint,

    /// <summary>The task's loss at <c>(1 − t) θ' + t θ_B</c>, t uniform in [0, 1) and drawn for each step; permutations are compared at the midpoint.</summary>
    RandomPoint,
}
