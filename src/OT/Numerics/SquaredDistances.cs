using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace OT.Numerics;

/// <summary>Squared Euclidean distances between some points and many, by differences: no digit is lost between points that are close.</summary>
internal static class SquaredDistances
{
    const int Together = 4; // points in registers at a time

    /// <summary><c>block_rj = |x_r − y_j|²</c>.</summary>
    /// <param name="points">Some points, one after another, d coordinates each.</param>
    /// <param name="dimension">d.</param>
    /// <param name="coordinates">m points, coordinate after coordinate: d × m.</param>
    /// <param name="block">Receives m distances for each point.</param>
    public static void Fill(ReadOnlySpan<double> points, int dimension, ReadOnlySpan<double> coordinates, Span<double> block)
    {
        if (Simd.Width == 512)
            Fill<Simd512<double>, Vector512<double>>(points, dimension, coordinates, block);
        else if (Simd.Width == 256)
            Fill<Simd256<double>, Vector256<double>>(points, dimension, coordinates, block);
        else if (Simd.Width == 128)
            Fill<Simd128<double>, Vector128<double>>(points, dimension, coordinates, block);
        else
            Fill<SimdScalar<double>, double>(points, dimension, coordinates, block);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Fill<TSimd, TVector>(ReadOnlySpan<double> points, int d, ReadOnlySpan<double> coordinates, Span<double> block)
        where TSimd : struct, ISimd<TVector, double>
    {
        int m = coordinates.Length / d,
            count = points.Length / d,
            whole = m / TSimd.Count * TSimd.Count;
        for (int row = 0; row < count; row += Together)
        {
            // A last, smaller group repeats its last point.
            int last = count - 1 - row;
            ReadOnlySpan<double> x = points[(row * d)..];
            int x1 = Math.Min(1, last) * d,
                x2 = Math.Min(2, last) * d,
                x3 = Math.Min(3, last) * d;
            Span<double> to = block[(row * m)..];
            int to1 = Math.Min(1, last) * m,
                to2 = Math.Min(2, last) * m,
                to3 = Math.Min(3, last) * m;
            if (last == 0)
            {
                for (int j = 0; j < whole; j += TSimd.Count)
                    One<TSimd, TVector>(x, d, coordinates, m, j, to);
            }
            else
            {
                for (int j = 0; j < whole; j += TSimd.Count)
                    Four<TSimd, TVector>(x, d, x1, x2, x3, coordinates, m, j, to, to1, to2, to3);
            }
            for (int j = whole; j < m; j++)
            {
                for (int r = 0; r <= Math.Min(last, Together - 1); r++)
                    One<SimdScalar<double>, double>(x[(r * d)..], d, coordinates, m, j, to[(r * m)..]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Four<TSimd, TVector>(
        ReadOnlySpan<double> points,
        nint d,
        int x1,
        int x2,
        int x3,
        ReadOnlySpan<double> coordinates,
        nint m,
        int j,
        Span<double> to,
        int to1,
        int to2,
        int to3
    )
        where TSimd : struct, ISimd<TVector, double>
    {
        ref double x = ref MemoryMarshal.GetReference(points);
        ref double y = ref Unsafe.Add(ref MemoryMarshal.GetReference(coordinates), j);
        TVector s0 = TSimd.Zero,
            s1 = s0,
            s2 = s0,
            s3 = s0;
        for (nint k = 0; k < d; k++)
        {
            TVector minus = TSimd.Multiply(TSimd.Load(ref y, 0), TSimd.Fill(-1));
            TVector d0 = TSimd.Add(TSimd.Fill(x), minus),
                d1 = TSimd.Add(TSimd.Fill(Unsafe.Add(ref x, x1)), minus),
                d2 = TSimd.Add(TSimd.Fill(Unsafe.Add(ref x, x2)), minus),
                d3 = TSimd.Add(TSimd.Fill(Unsafe.Add(ref x, x3)), minus);
            s0 = TSimd.MultiplyAdd(d0, d0, s0);
            s1 = TSimd.MultiplyAdd(d1, d1, s1);
            s2 = TSimd.MultiplyAdd(d2, d2, s2);
            s3 = TSimd.MultiplyAdd(d3, d3, s3);
            x = ref Unsafe.Add(ref x, 1);
            y = ref Unsafe.Add(ref y, m);
        }
        ref double first = ref Unsafe.Add(ref MemoryMarshal.GetReference(to), j);
        TSimd.Store(s0, ref first, 0);
        TSimd.Store(s1, ref first, to1);
        TSimd.Store(s2, ref first, to2);
        TSimd.Store(s3, ref first, to3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void One<TSimd, TVector>(
        ReadOnlySpan<double> point,
        nint d,
        ReadOnlySpan<double> coordinates,
        nint m,
        int j,
        Span<double> to
    )
        where TSimd : struct, ISimd<TVector, double>
    {
        ref double x = ref MemoryMarshal.GetReference(point);
        ref double y = ref Unsafe.Add(ref MemoryMarshal.GetReference(coordinates), j);
        TVector sum = TSimd.Zero;
        for (nint k = 0; k < d; k++)
        {
            TVector minus = TSimd.Multiply(TSimd.Load(ref y, 0), TSimd.Fill(-1));
            TVector difference = TSimd.Add(TSimd.Fill(Unsafe.Add(ref x, k)), minus);
            sum = TSimd.MultiplyAdd(difference, difference, sum);
            y = ref Unsafe.Add(ref y, m);
        }
        TSimd.Store(sum, ref MemoryMarshal.GetReference(to), j);
    }
}
