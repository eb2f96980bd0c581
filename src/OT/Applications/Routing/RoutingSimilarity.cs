namespace OT.Applications.Routing;

/// <summary>What a routing keeps as much of as it can.</summary>
public enum RoutingSimilarity
{
    /// <summary>Softmax of a token's logits: between 0 and 1.</summary>
    Softmax,

    /// <summary>The logits themselves.</summary>
    Logits,
}
