namespace OT.Problems;

/// <summary>Two bins of one side and the weight of their being alike.</summary>
/// <param name="First">A bin, from 0.</param>
/// <param name="Second">Another bin.</param>
/// <param name="Weight">Zero or positive.</param>
public readonly record struct WeightedPair(int First, int Second, double Weight);
