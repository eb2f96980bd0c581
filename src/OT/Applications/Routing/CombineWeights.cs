namespace OT.Applications.Routing;

/// <summary>Weights with which the outputs of a token's experts are added.</summary>
public enum CombineWeights
{
    /// <summary>Softmax of the token's logits over all experts, at those it was given to: they sum to less than 1.</summary>
    Gates,

    /// <summary>Masses of the plan on the token's experts: they sum to 1.</summary>
    Masses,
}
