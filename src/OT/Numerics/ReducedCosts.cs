using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace OT.Numerics;

/// <summary>Vectorised searches over one row of differences <c>c_k − f − g_k</c>.</summary>
internal static class ReducedCosts
{
    /// <summary>Ten units in the last place: what the rounding of two subtractions and of the terms themselves may explain.</summary>
    public const double Slack = 2.22e-15;

    /// <summary>
    /// The first k that minimises <c>(c_k − f − g_k) + Slack (|c_k| + |f| + |g_k|)</c>, and that minimum; −1 and <c>+∞</c> when all are infinite.
    /// Where the minimum is negative the reduced cost is negative beyond doubt. <c>c_k = +∞</c> or <c>g_k = −∞</c> takes k out.
    /// </summary>
    public static int ArgMin(ReadOnlySpan<double> costs, ReadOnlySpan<double> prices, double price, out double min)
    {
        if (Vector512.IsHardwareAccelerated && costs.Length >= Vector512<double>.Count)
            return ArgMin512(costs, prices, price, out min);
        if (Vector256.IsHardwareAccelerated && costs.Length >= Vector256<double>.Count)
            return ArgMin256(costs, prices, price, out min);
        min = double.PositiveInfinity;
        int at = -1;
        ArgMinScalar(costs, prices, price, 0, ref at, ref min);
        return at;
    }

    /// <summary>The scalar form, from position <paramref name="start"/>: the oracle of the vector forms and their tail.</summary>
    internal static void ArgMinScalar(
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> prices,
        double price,
        int start,
        ref int at,
        ref double min
    )
    {
        double magnitude = Math.Abs(price);
        for (int k = start; k < costs.Length; k++)
        {
            double c = costs[k],
                g = prices[k];
            double key = c - price - g + (Slack * (Math.Abs(c) + magnitude + Math.Abs(g)));
            if (key < min)
                (min, at) = (key, k);
        }
    }

    static int ArgMin512(ReadOnlySpan<double> costs, ReadOnlySpan<double> prices, double price, out double min)
    {
        const int width = 8;
        ref double c0 = ref MemoryMarshal.GetReference(costs);
        ref double g0 = ref MemoryMarshal.GetReference(prices);
        Vector512<double> f = Vector512.Create(price),
            magnitude = Vector512.Create(Math.Abs(price)),
            slack = Vector512.Create(Slack);
        // Two chains hide the latency of compare and select.
        Vector512<double> min0 = Vector512.Create(double.PositiveInfinity),
            min1 = min0;
        Vector512<long> at0 = Vector512.Create(-1L),
            at1 = at0;
        Vector512<long> index = Vector512<long>.Indices,
            step = Vector512.Create((long)width);
        int k = 0;
        for (; k <= costs.Length - (2 * width); k += 2 * width)
        {
            Vector512<double> key = Key512(ref c0, ref g0, k, f, magnitude, slack);
            Vector512<double> less = Vector512.LessThan(key, min0);
            min0 = Vector512.ConditionalSelect(less, key, min0);
            at0 = Vector512.ConditionalSelect(less.AsInt64(), index, at0);
            index += step;
            key = Key512(ref c0, ref g0, k + width, f, magnitude, slack);
            less = Vector512.LessThan(key, min1);
            min1 = Vector512.ConditionalSelect(less, key, min1);
            at1 = Vector512.ConditionalSelect(less.AsInt64(), index, at1);
            index += step;
        }
        if (k <= costs.Length - width)
        {
            Vector512<double> key = Key512(ref c0, ref g0, k, f, magnitude, slack);
            Vector512<double> less = Vector512.LessThan(key, min0);
            min0 = Vector512.ConditionalSelect(less, key, min0);
            at0 = Vector512.ConditionalSelect(less.AsInt64(), index, at0);
            k += width;
        }
        min = double.PositiveInfinity;
        int at = -1;
        for (int lane = 0; lane < width; lane++)
        {
            Take(min0[lane], at0[lane], ref min, ref at);
            Take(min1[lane], at1[lane], ref min, ref at);
        }
        ArgMinScalar(costs, prices, price, k, ref at, ref min);
        return at;
    }

    static int ArgMin256(ReadOnlySpan<double> costs, ReadOnlySpan<double> prices, double price, out double min)
    {
        const int width = 4;
        ref double c0 = ref MemoryMarshal.GetReference(costs);
        ref double g0 = ref MemoryMarshal.GetReference(prices);
        Vector256<double> f = Vector256.Create(price),
            magnitude = Vector256.Create(Math.Abs(price)),
            slack = Vector256.Create(Slack);
        Vector256<double> best = Vector256.Create(double.PositiveInfinity);
        Vector256<long> where = Vector256.Create(-1L),
            index = Vector256<long>.Indices,
            step = Vector256.Create((long)width);
        int k = 0;
        for (; k <= costs.Length - width; k += width)
        {
            Vector256<double> c = Vector256.LoadUnsafe(ref c0, (nuint)k),
                g = Vector256.LoadUnsafe(ref g0, (nuint)k);
            Vector256<double> key = c - f - g + (slack * (Vector256.Abs(c) + magnitude + Vector256.Abs(g)));
            Vector256<double> less = Vector256.LessThan(key, best);
            best = Vector256.ConditionalSelect(less, key, best);
            where = Vector256.ConditionalSelect(less.AsInt64(), index, where);
            index += step;
        }
        min = double.PositiveInfinity;
        int at = -1;
        for (int lane = 0; lane < width; lane++)
            Take(best[lane], where[lane], ref min, ref at);
        ArgMinScalar(costs, prices, price, k, ref at, ref min);
        return at;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<double> Key512(
        ref double costs,
        ref double prices,
        int k,
        Vector512<double> f,
        Vector512<double> magnitude,
        Vector512<double> slack
    )
    {
        Vector512<double> c = Vector512.LoadUnsafe(ref costs, (nuint)k),
            g = Vector512.LoadUnsafe(ref prices, (nuint)k);
        return c - f - g + (slack * (Vector512.Abs(c) + magnitude + Vector512.Abs(g)));
    }

    /// <summary>Keeps the smaller value and, among equals, the first position.</summary>
    static void Take(double value, long position, ref double min, ref int at)
    {
        if (value < min || (value == min && position < at))
            (min, at) = (value, (int)position);
    }

    /// <summary><c>g_k = min(g_k, c_k − f)</c>: one row's share of a c-transform.</summary>
    public static void Lower(ReadOnlySpan<double> costs, double price, Span<double> prices)
    {
        int k = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            ref double c0 = ref MemoryMarshal.GetReference(costs);
            ref double g0 = ref MemoryMarshal.GetReference(prices);
            Vector256<double> f = Vector256.Create(price);
            for (; k <= costs.Length - Vector256<double>.Count; k += Vector256<double>.Count)
            {
                Vector256<double> value = Vector256.LoadUnsafe(ref c0, (nuint)k) - f;
                Vector256.MinNative(value, Vector256.LoadUnsafe(ref g0, (nuint)k)).StoreUnsafe(ref g0, (nuint)k);
            }
        }
        for (; k < costs.Length; k++)
            prices[k] = Math.Min(prices[k], costs[k] - price);
    }

    /// <summary><c>min_k c_k − g_k</c>; <c>+∞</c> for an empty row.</summary>
    public static double Min(ReadOnlySpan<double> costs, ReadOnlySpan<double> prices)
    {
        double min = double.PositiveInfinity;
        int k = 0;
        if (Vector256.IsHardwareAccelerated && costs.Length >= Vector256<double>.Count)
        {
            ref double c0 = ref MemoryMarshal.GetReference(costs);
            ref double g0 = ref MemoryMarshal.GetReference(prices);
            Vector256<double> best = Vector256.Create(min);
            for (; k <= costs.Length - Vector256<double>.Count; k += Vector256<double>.Count)
            {
                Vector256<double> value = Vector256.LoadUnsafe(ref c0, (nuint)k) - Vector256.LoadUnsafe(ref g0, (nuint)k);
                best = Vector256.MinNative(value, best);
            }
            for (int lane = 0; lane < Vector256<double>.Count; lane++)
                min = Math.Min(min, best[lane]);
        }
        for (; k < costs.Length; k++)
            min = Math.Min(min, costs[k] - prices[k]);
        return min;
    }
}
