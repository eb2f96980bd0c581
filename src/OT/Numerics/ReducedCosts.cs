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
    /// The first k that minimises <c>(c_k − f − g_k) + slack (|c_k| + |f| + |g_k|)</c>, and that minimum; −1 and <c>+∞</c> when all are infinite.
    /// Where the minimum is negative the reduced cost is negative beyond doubt. <c>c_k = +∞</c> or <c>g_k = −∞</c> takes k out.
    /// </summary>
    public static int ArgMin(
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> prices,
        double price,
        out double min,
        double slack = Slack
    )
    {
        if (Vector512.IsHardwareAccelerated && costs.Length >= Vector512<double>.Count)
            return ArgMin512(costs, prices, price, slack, out min);
        if (Vector256.IsHardwareAccelerated && costs.Length >= Vector256<double>.Count)
            return ArgMin256(costs, prices, price, slack, out min);
        min = double.PositiveInfinity;
        int at = -1;
        ArgMinScalar(costs, prices, price, slack, 0, ref at, ref min);
        return at;
    }

    /// <summary>The scalar form, from position <paramref name="start"/>: the oracle of the vector forms and their tail.</summary>
    internal static void ArgMinScalar(
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> prices,
        double price,
        double slack,
        int start,
        ref int at,
        ref double min
    )
    {
        for (int k = start; k < costs.Length; k++)
        {
            double key = Key(costs[k], prices[k], price, slack);
            if (key < min)
                (min, at) = (key, k);
        }
    }

    /// <summary><c>(c − f − g) + slack (|c| + |f| + |g|)</c>.</summary>
    public static double Key(double c, double g, double f, double slack) =>
        c - f - g + (slack * (Math.Abs(c) + Math.Abs(f) + Math.Abs(g)));

    static int ArgMin512(ReadOnlySpan<double> costs, ReadOnlySpan<double> prices, double price, double rounding, out double min)
    {
        const int width = 8;
        ref double c0 = ref MemoryMarshal.GetReference(costs);
        ref double g0 = ref MemoryMarshal.GetReference(prices);
        Vector512<double> f = Vector512.Create(price),
            magnitude = Vector512.Create(Math.Abs(price)),
            slack = Vector512.Create(rounding);
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
        ArgMinScalar(costs, prices, price, rounding, k, ref at, ref min);
        return at;
    }

    static int ArgMin256(ReadOnlySpan<double> costs, ReadOnlySpan<double> prices, double price, double rounding, out double min)
    {
        const int width = 4;
        ref double c0 = ref MemoryMarshal.GetReference(costs);
        ref double g0 = ref MemoryMarshal.GetReference(prices);
        Vector256<double> f = Vector256.Create(price),
            magnitude = Vector256.Create(Math.Abs(price)),
            slack = Vector256.Create(rounding);
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
        ArgMinScalar(costs, prices, price, rounding, k, ref at, ref min);
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

    /// <summary>
    /// <c>d_k = min(d_k, c_k − g_k + shift)</c>, with <paramref name="row"/> noted in <paramref name="from"/> where that lowers d_k; returns the first
    /// k of least d_k, or −1 when all are infinite. <c>g_k = −∞</c> takes k out.
    /// </summary>
    public static int Relax(
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> prices,
        double shift,
        int row,
        Span<double> distances,
        Span<long> from
    )
    {
        const int width = 8;
        double min = double.PositiveInfinity;
        int at = -1,
            k = 0;
        if (Vector256.IsHardwareAccelerated && costs.Length >= width)
        {
            ref double c0 = ref MemoryMarshal.GetReference(costs);
            ref double g0 = ref MemoryMarshal.GetReference(prices);
            ref double d0 = ref MemoryMarshal.GetReference(distances);
            ref long from0 = ref MemoryMarshal.GetReference(from);
            Vector512<double> add = Vector512.Create(shift),
                best = Vector512.Create(double.PositiveInfinity);
            Vector512<long> self = Vector512.Create((long)row),
                where = Vector512.Create(-1L),
                index = Vector512<long>.Indices,
                step = Vector512.Create((long)width);
            for (; k <= costs.Length - width; k += width)
            {
                Vector512<double> d = Vector512.LoadUnsafe(ref d0, (nuint)k);
                Vector512<double> h = Vector512.LoadUnsafe(ref c0, (nuint)k) - Vector512.LoadUnsafe(ref g0, (nuint)k) + add;
                Vector512<double> less = Vector512.LessThan(h, d);
                if (Vector512.LessThanAny(h, d))
                {
                    d = Vector512.ConditionalSelect(less, h, d);
                    d.StoreUnsafe(ref d0, (nuint)k);
                    Vector512
                        .ConditionalSelect(less.AsInt64(), self, Vector512.LoadUnsafe(ref from0, (nuint)k))
                        .StoreUnsafe(ref from0, (nuint)k);
                }
                less = Vector512.LessThan(d, best);
                best = Vector512.ConditionalSelect(less, d, best);
                where = Vector512.ConditionalSelect(less.AsInt64(), index, where);
                index += step;
            }
            for (int lane = 0; lane < width; lane++)
                Take(best[lane], where[lane], ref min, ref at);
        }
        for (; k < costs.Length; k++)
        {
            double h = costs[k] - prices[k] + shift;
            if (h < distances[k])
                (distances[k], from[k]) = (h, row);
            if (distances[k] < min)
                (min, at) = (distances[k], k);
        }
        return at;
    }
}
