using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>One row of a Gibbs plan from its costs, in one sweep: its mass, its cost and what it adds to the column sums, or its entries.</summary>
internal static class PlanSweep
{
    const double Log2E = 1.4426950408889634;

    /// <summary>Sweeps <c>P_j = exp((f − C_j + g_j)/ε + log b_j + log a)</c> over finite costs.</summary>
    /// <param name="costs">C_j, finite.</param>
    /// <param name="g">Target potential.</param>
    /// <param name="logB">log b_j; −∞ where b is 0.</param>
    /// <param name="f">Source potential of the row.</param>
    /// <param name="logA">log a of the row, finite.</param>
    /// <param name="inverse">1/ε.</param>
    /// <param name="columns">P_j is added to each.</param>
    /// <returns>Σ P_j and Σ P_j C_j.</returns>
    public static (double Mass, double Cost) Row(
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> logB,
        double f,
        double logA,
        double inverse,
        Span<double> columns
    ) =>
        Simd.Width switch
        {
            512 => Row<Simd512<double>, Vector512<double>>(costs, g, logB, f, logA, inverse, columns),
            256 => Row<Simd256<double>, Vector256<double>>(costs, g, logB, f, logA, inverse, columns),
            128 => Row<Simd128<double>, Vector128<double>>(costs, g, logB, f, logA, inverse, columns),
            _ => Row<SimdScalar<double>, double>(costs, g, logB, f, logA, inverse, columns),
        };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static (double Mass, double Cost) Row<TSimd, TVector>(
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> logB,
        double f,
        double logA,
        double inverse,
        Span<double> columns
    )
        where TSimd : struct, ISimd<TVector, double>
    {
        int whole = costs.Length / TSimd.Count * TSimd.Count;
        (double mass, double cost) = Part<TSimd, TVector>(costs, g, logB, f, logA, inverse, columns, whole);
        if (whole == costs.Length)
            return (mass, cost);
        (double tailMass, double tailCost) = Part<SimdScalar<double>, double>(
            costs[whole..],
            g[whole..],
            logB[whole..],
            f,
            logA,
            inverse,
            columns[whole..],
            costs.Length - whole
        );
        return (mass + tailMass, cost + tailCost);
    }

    /// <summary>Puts <c>P_j = exp((f − C_j + g_j)/ε + log b_j + log a)</c> in the place of each cost; an infinite one gives 0.</summary>
    /// <inheritdoc cref="Row(ReadOnlySpan{double}, ReadOnlySpan{double}, ReadOnlySpan{double}, double, double, double, Span{double})" path="/param"/>
    public static void Entries(
        Span<double> costs,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> logB,
        double f,
        double logA,
        double inverse
    )
    {
        switch (Simd.Width)
        {
            case 512:
                Entries<Simd512<double>, Vector512<double>>(costs, g, logB, f, logA, inverse);
                break;
            case 256:
                Entries<Simd256<double>, Vector256<double>>(costs, g, logB, f, logA, inverse);
                break;
            case 128:
                Entries<Simd128<double>, Vector128<double>>(costs, g, logB, f, logA, inverse);
                break;
            default:
                Entries<SimdScalar<double>, double>(costs, g, logB, f, logA, inverse);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Entries<TSimd, TVector>(
        Span<double> costs,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> logB,
        double f,
        double logA,
        double inverse
    )
        where TSimd : struct, ISimd<TVector, double>
    {
        int whole = costs.Length / TSimd.Count * TSimd.Count;
        EntriesOf<TSimd, TVector>(costs[..whole], g, logB, f, logA, inverse);
        EntriesOf<SimdScalar<double>, double>(costs[whole..], g[whole..], logB[whole..], f, logA, inverse);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void EntriesOf<TSimd, TVector>(
        Span<double> costs,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> logB,
        double f,
        double logA,
        double inverse
    )
        where TSimd : struct, ISimd<TVector, double>
    {
        ref double c0 = ref MemoryMarshal.GetReference(costs);
        ref double g0 = ref MemoryMarshal.GetReference(g);
        ref double b0 = ref MemoryMarshal.GetReference(logB);
        var exponent = new Exponent<TSimd, TVector>(f, logA, inverse);
        for (nint j = 0; j < costs.Length; j += TSimd.Count)
            TSimd.Store(exponent.Entry(TSimd.Load(ref c0, j), TSimd.Load(ref g0, j), TSimd.Load(ref b0, j)), ref c0, j);
    }

    /// <summary>What a row's entries share.</summary>
    readonly struct Exponent<TSimd, TVector>(double f, double logA, double inverse)
        where TSimd : struct, ISimd<TVector, double>
    {
        readonly TVector _start = TSimd.Fill(f);
        readonly TVector _minus = TSimd.Fill(-1);
        readonly TVector _scale = TSimd.Fill(inverse);
        readonly TVector _weight = TSimd.Fill(logA);
        readonly TVector _toBase2 = TSimd.Fill(Log2E);
        readonly TVector _lowest = TSimd.Fill(Simd.Lowest<double>());

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVector Entry(TVector cost, TVector g, TVector logB)
        {
            // In this order: f and C are large, their difference with g is not.
            TVector t = TSimd.Add(TSimd.MultiplyAdd(cost, _minus, _start), g);
            t = TSimd.Add(TSimd.MultiplyAdd(t, _scale, logB), _weight);
            return TSimd.Exp2(TSimd.Max(TSimd.Multiply(t, _toBase2), _lowest));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static (double Mass, double Cost) Part<TSimd, TVector>(
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> logB,
        double f,
        double logA,
        double inverse,
        Span<double> columns,
        nint count
    )
        where TSimd : struct, ISimd<TVector, double>
    {
        ref double c0 = ref MemoryMarshal.GetReference(costs);
        ref double g0 = ref MemoryMarshal.GetReference(g);
        ref double b0 = ref MemoryMarshal.GetReference(logB);
        ref double to = ref MemoryMarshal.GetReference(columns);
        var exponent = new Exponent<TSimd, TVector>(f, logA, inverse);
        TVector mass = TSimd.Zero,
            cost = TSimd.Zero;
        for (nint j = 0; j < count; j += TSimd.Count)
        {
            TVector c = TSimd.Load(ref c0, j);
            TVector p = exponent.Entry(c, TSimd.Load(ref g0, j), TSimd.Load(ref b0, j));
            TSimd.Store(TSimd.Add(TSimd.Load(ref to, j), p), ref to, j);
            mass = TSimd.Add(mass, p);
            cost = TSimd.MultiplyAdd(p, c, cost);
        }
        return (TSimd.Sum(mass), TSimd.Sum(cost));
    }
}
