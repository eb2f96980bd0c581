namespace OT.Accelerators.Gpu;

/// <summary>Floats as sums of two numbers of tensor cores, whose mantissas have 10 bits.</summary>
/// <remarks>
/// <c>x = head + tail + rest</c> with <c>|x − head| ≤ 2⁻¹¹|x|</c> and <c>|rest| ≤ 2⁻²³|x|</c>. Three products, head by head, head by tail and tail by head, are off by
/// at most <c>2⁻²¹|xy|</c>, one by <c>2⁻¹⁰|xy|</c>: see docs/theory/cuda.md.
/// </remarks>
static class TensorSplit
{
    const int DroppedBits = 13;

    /// <summary>The nearest number of 10 bits of mantissa, the even one of two; what lies above the largest becomes infinite.</summary>
    public static float Head(float x)
    {
        if (!float.IsFinite(x))
            return x;
        uint bits = BitConverter.SingleToUInt32Bits(x);
        bits += ((1u << (DroppedBits - 1)) - 1) + ((bits >> DroppedBits) & 1);
        return BitConverter.UInt32BitsToSingle(bits & ~((1u << DroppedBits) - 1));
    }

    /// <summary>What the head left, itself a number of 10 bits.</summary>
    public static float Tail(float x) => Head(x - Head(x));
}
