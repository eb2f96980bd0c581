using System.Numerics;
using System.Runtime.Intrinsics;
using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

/// <summary>The vector operations of every width against scalar arithmetic.</summary>
public class SimdTests
{
    // Promised by ISimd.Exp2.
    const double DoubleError = 4e-16;
    const double FloatError = 2.5e-7;

    [Fact]
    public void Exp2_of_doubles_keeps_its_promise()
    {
        CheckDoubles<SimdScalar<double>, double>(0);
        CheckDoubles<Simd128<double>, Vector128<double>>(128);
        CheckDoubles<Simd256<double>, Vector256<double>>(256);
        CheckDoubles<Simd512<double>, Vector512<double>>(512);
    }

    [Fact]
    public void Exp2_of_floats_keeps_its_promise()
    {
        CheckFloats<SimdScalar<float>, float>(0);
        CheckFloats<Simd128<float>, Vector128<float>>(128);
        CheckFloats<Simd256<float>, Vector256<float>>(256);
        CheckFloats<Simd512<float>, Vector512<float>>(512);
    }

    [Fact]
    public void Loads_stores_and_arithmetic_are_those_of_scalars()
    {
        CheckArithmetic<SimdScalar<double>, double, double>(0);
        CheckArithmetic<SimdScalar<float>, float, float>(0);
        CheckArithmetic<Simd128<double>, Vector128<double>, double>(128);
        CheckArithmetic<Simd128<float>, Vector128<float>, float>(128);
        CheckArithmetic<Simd256<double>, Vector256<double>, double>(256);
        CheckArithmetic<Simd256<float>, Vector256<float>, float>(256);
        CheckArithmetic<Simd512<double>, Vector512<double>, double>(512);
        CheckArithmetic<Simd512<float>, Vector512<float>, float>(512);
    }

    [Fact]
    public void Tables_are_rounded_powers_of_two()
    {
        for (int k = 0; k < 16; k++)
            Assert.InRange(Simd.Sixteenths[k] / Math.Pow(2, k / 16.0), 1 - 2.3e-16, 1 + 2.3e-16);
        for (int k = 0; k < 32; k++)
            Assert.Equal((float)Math.Pow(2, k / 32.0), Simd.ThirtySeconds[k]);
        Assert.Equal((16, 32), (Simd.Sixteenths.Length, Simd.ThirtySeconds.Length));
    }

    static void CheckDoubles<TSimd, TVector>(int width)
        where TSimd : struct, ISimd<TVector, double>
    {
        if (width > Simd.Width)
            return;
        for (double x = -1022; x < 1024; x += 0.00613)
            Close(x);
        for (double x = -1; x <= 1; x += 1.37e-5)
            Close(x);
        for (int n = -1022; n < 1024; n++)
        {
            // Both sides of every border between pieces.
            foreach (double part in (double[])[0, 1 / 32.0, 0.5, 31 / 32.0])
            {
                Close(n + part);
                Close(Math.BitIncrement(n + part));
                Close(Math.Max(Math.BitDecrement(n + part), -1022));
            }
        }
        Assert.Equal(1, Exp2<TSimd, TVector, double>(0));
        Assert.Equal(1, Exp2<TSimd, TVector, double>(-1e-300));
        for (double x = -1022.001; x > -1200; x -= 0.37)
            Assert.InRange(Exp2<TSimd, TVector, double>(x), 0, 2.2250738585072014e-308);
        foreach (double x in (double[])[-1075.5, -2000, -1e5, -1e9, -1e15, -1e20, Simd.Lowest<double>()])
            Assert.Equal(0, Exp2<TSimd, TVector, double>(x));
        foreach (double x in (double[])[1024, 1024.5, 1025, 2000, 1e5, 1e9, 1e15, 1e20, 1e30])
            Assert.Equal(double.PositiveInfinity, Exp2<TSimd, TVector, double>(x));
        return;

        static void Close(double x)
        {
            double expected = Math.Pow(2, x);
            // The scalar reference is itself within one unit in the last place, 2.2e-16.
            Assert.True(
                Math.Abs((Exp2<TSimd, TVector, double>(x) / expected) - 1) <= DoubleError + 2.3e-16,
                $"2^{x:R}: {Exp2<TSimd, TVector, double>(x):R}, expected {expected:R}"
            );
        }
    }

    static void CheckFloats<TSimd, TVector>(int width)
        where TSimd : struct, ISimd<TVector, float>
    {
        if (width > Simd.Width)
            return;
        for (float x = -126; x < 128; x = MathF.Max(MathF.BitIncrement(x), x + 0.00061f))
            Close(x);
        for (int n = -126; n < 128; n++)
        {
            foreach (float part in (float[])[0, 1 / 64f, 0.5f, 63 / 64f])
            {
                Close(n + part);
                Close(MathF.BitIncrement(n + part));
                Close(MathF.Max(MathF.BitDecrement(n + part), -126));
            }
        }
        Assert.Equal(1, Exp2<TSimd, TVector, float>(0));
        for (float x = -126.001f; x > -160; x -= 0.037f)
            Assert.InRange(Exp2<TSimd, TVector, float>(x), 0, 1.17549435e-38f);
        foreach (float x in (float[])[-150.5f, -1000, -1e5f, -1e6f, Simd.Lowest<float>()])
            Assert.Equal(0, Exp2<TSimd, TVector, float>(x));
        foreach (float x in (float[])[128, 128.5f, 1000, 1e5f, 1e6f, 1e7f])
            Assert.Equal(float.PositiveInfinity, Exp2<TSimd, TVector, float>(x));
        return;

        static void Close(float x)
        {
            double expected = Math.Pow(2, x);
            Assert.True(
                Math.Abs((Exp2<TSimd, TVector, float>(x) / expected) - 1) <= FloatError,
                $"2^{x:R}: {Exp2<TSimd, TVector, float>(x):R}, expected {expected:R}"
            );
        }
    }

    static void CheckArithmetic<TSimd, TVector, T>(int width)
        where TSimd : struct, ISimd<TVector, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (width > Simd.Width)
            return;
        int count = TSimd.Count;
        Assert.Equal(Math.Max(width / (8 * System.Runtime.CompilerServices.Unsafe.SizeOf<T>()), 1), count);
        var random = new SeededRandom(2);
        T[] x = [.. Enumerable.Range(0, 3 * count).Select(_ => T.CreateTruncating(random.NextNormal()))];
        T[] y = [.. Enumerable.Range(0, 3 * count).Select(_ => T.CreateTruncating(random.NextNormal()))];
        float[] single = Array.ConvertAll(x, v => float.CreateTruncating(v));
        for (int offset = 0; offset <= 2 * count; offset++)
        {
            TVector u = TSimd.Load(ref x[0], offset),
                v = TSimd.Load(ref y[0], offset);
            Equal(u, k => x[offset + k]);
            Equal(TSimd.LoadSingle(ref single[0], offset), k => T.CreateTruncating(single[offset + k]));
            Equal(TSimd.Add(u, v), k => x[offset + k] + y[offset + k]);
            Equal(TSimd.Multiply(u, v), k => x[offset + k] * y[offset + k]);
            Equal(TSimd.MultiplyAdd(u, v, u), k => T.FusedMultiplyAdd(x[offset + k], y[offset + k], x[offset + k]));
            Equal(TSimd.Max(u, v), k => T.Max(x[offset + k], y[offset + k]));
            Assert.Equal(x.AsSpan(offset, count).ToArray().Max(), TSimd.MaxAcross(u));
            double sum = x.AsSpan(offset, count).ToArray().Sum(w => double.CreateTruncating(w));
            // Up to sixteen terms of size 3.
            Assert.Equal(sum, double.CreateTruncating(TSimd.Sum(u)), 50 * double.CreateTruncating(T.BitIncrement(T.One) - T.One));
        }
        Equal(TSimd.Zero, _ => T.Zero);
        Equal(TSimd.Fill(x[0]), _ => x[0]);
        // A store writes its register and nothing else.
        T guard = T.CreateTruncating(-77);
        var room = new T[3 * count];
        Array.Fill(room, guard);
        TSimd.Store(TSimd.Load(ref x[0], 0), ref room[0], count);
        for (int k = 0; k < room.Length; k++)
            Assert.Equal(k >= count && k < 2 * count ? x[k - count] : guard, room[k]);

        static void Equal(TVector actual, Func<int, T> expected)
        {
            var values = new T[TSimd.Count];
            TSimd.Store(actual, ref values[0], 0);
            for (int k = 0; k < values.Length; k++)
                Assert.Equal(expected(k), values[k]);
        }
    }

    /// <summary>2^x in every lane; all lanes agree.</summary>
    static T Exp2<TSimd, TVector, T>(T x)
        where TSimd : struct, ISimd<TVector, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        TVector y = TSimd.Exp2(TSimd.Fill(x));
        var values = new T[TSimd.Count];
        TSimd.Store(y, ref values[0], 0);
        if (values.AsSpan().ContainsAnyExcept(values[0]))
            Assert.Fail($"Lanes of 2^{x} differ.");
        return values[0];
    }
}
