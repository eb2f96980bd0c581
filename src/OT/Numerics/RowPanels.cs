using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace OT.Numerics;

/// <summary>The rows of a matrix, n × d, packed for products with several vectors at a time.</summary>
/// <remarks>
/// Panels of 16 rows, coordinate after coordinate: a panel stays in the first-level cache while all vectors pass. Each product is one chain of fused
/// multiply-adds from the first coordinate to the last, so that its bits depend neither on the register width nor on the other vectors. Memory 8nd bytes.
/// </remarks>
internal sealed class RowPanels
{
    const int Height = 16;
    const int Together = 4; // vectors in registers at a time

    readonly double[] _panels;
    readonly int _width;

    /// <summary>Packs a matrix, for registers of the given number of bits.</summary>
    public RowPanels(Matrix rows, int width)
    {
        (Rows, Columns, _width) = (rows.Rows, rows.Columns, width);
        Stride = (Rows + Height - 1) / Height * Height;
        _panels = new double[Guard.ArrayLength(Stride, Columns, "packed points")];
        ReadOnlySpan<double> values = rows.Values;
        for (int i = 0; i < Rows; i++)
        {
            Span<double> column = _panels.AsSpan((i / Height * Height * Columns) + (i % Height));
            for (int k = 0; k < Columns; k++)
                column[k * Height] = values[(i * Columns) + k];
        }
    }

    /// <summary>n.</summary>
    public int Rows { get; }

    /// <summary>d.</summary>
    public int Columns { get; }

    /// <summary>n rounded up: from the products with one vector to those with the next.</summary>
    public int Stride { get; }

    /// <summary>Products of all rows with each of some vectors.</summary>
    /// <param name="vectors">Some vectors of length d, one after another.</param>
    /// <param name="products">Receives <see cref="Stride"/> numbers for each vector: n products, and what rounds n up.</param>
    public void Multiply(ReadOnlySpan<double> vectors, Span<double> products)
    {
        if (_width == 512)
            Multiply<Simd512<double>, Vector512<double>>(vectors, products);
        else if (_width == 256)
            Multiply<Simd256<double>, Vector256<double>>(vectors, products);
        else if (_width == 128)
            Multiply<Simd128<double>, Vector128<double>>(vectors, products);
        else
            Multiply<SimdScalar<double>, double>(vectors, products);
    }

    void Multiply<TSimd, TVector>(ReadOnlySpan<double> vectors, Span<double> products)
        where TSimd : struct, ISimd<TVector, double>
    {
        int count = vectors.Length / Columns;
        for (int row = 0; row < Stride; row += Height)
        {
            ReadOnlySpan<double> panel = _panels.AsSpan(row * Columns, Height * Columns);
            int vector = 0;
            for (; vector <= count - Together; vector += Together)
            {
                ReadOnlySpan<double> four = vectors.Slice(vector * Columns, Together * Columns);
                for (int part = 0; part < Height; part += 2 * TSimd.Count)
                    Four<TSimd, TVector>(panel, part, four, products[((vector * Stride) + row + part)..]);
            }
            for (; vector < count; vector++)
            {
                ReadOnlySpan<double> one = vectors.Slice(vector * Columns, Columns);
                for (int part = 0; part < Height; part += 2 * TSimd.Count)
                    One<TSimd, TVector>(panel, part, one, products[((vector * Stride) + row + part)..]);
            }
        }
    }

    /// <summary>Two registers of rows with four vectors.</summary>
    void Four<TSimd, TVector>(ReadOnlySpan<double> panel, int part, ReadOnlySpan<double> vectors, Span<double> products)
        where TSimd : struct, ISimd<TVector, double>
    {
        ref double x = ref MemoryMarshal.GetReference(panel);
        ref double v = ref MemoryMarshal.GetReference(vectors);
        ref double to = ref MemoryMarshal.GetReference(products);
        nint d = Columns;
        TVector a0 = TSimd.Zero,
            a1 = a0,
            b0 = a0,
            b1 = a0,
            c0 = a0,
            c1 = a0,
            d0 = a0,
            d1 = a0;
        nint at = part;
        for (nint k = 0; k < d; k++, at += Height)
        {
            TVector x0 = TSimd.Load(ref x, at),
                x1 = TSimd.Load(ref x, at + TSimd.Count);
            TVector a = TSimd.Fill(Unsafe.Add(ref v, k));
            a0 = TSimd.MultiplyAdd(x0, a, a0);
            a1 = TSimd.MultiplyAdd(x1, a, a1);
            TVector b = TSimd.Fill(Unsafe.Add(ref v, k + d));
            b0 = TSimd.MultiplyAdd(x0, b, b0);
            b1 = TSimd.MultiplyAdd(x1, b, b1);
            TVector c = TSimd.Fill(Unsafe.Add(ref v, k + (2 * d)));
            c0 = TSimd.MultiplyAdd(x0, c, c0);
            c1 = TSimd.MultiplyAdd(x1, c, c1);
            TVector e = TSimd.Fill(Unsafe.Add(ref v, k + (3 * d)));
            d0 = TSimd.MultiplyAdd(x0, e, d0);
            d1 = TSimd.MultiplyAdd(x1, e, d1);
        }
        Store<TSimd, TVector>(a0, a1, ref to, 0);
        Store<TSimd, TVector>(b0, b1, ref to, Stride);
        Store<TSimd, TVector>(c0, c1, ref to, 2 * (nint)Stride);
        Store<TSimd, TVector>(d0, d1, ref to, 3 * (nint)Stride);
    }

    /// <summary>Two registers of rows with one vector.</summary>
    static void One<TSimd, TVector>(ReadOnlySpan<double> panel, int part, ReadOnlySpan<double> vector, Span<double> products)
        where TSimd : struct, ISimd<TVector, double>
    {
        ref double x = ref MemoryMarshal.GetReference(panel);
        TVector sum0 = TSimd.Zero,
            sum1 = sum0;
        nint at = part;
        foreach (double value in vector)
        {
            TVector v = TSimd.Fill(value);
            sum0 = TSimd.MultiplyAdd(TSimd.Load(ref x, at), v, sum0);
            sum1 = TSimd.MultiplyAdd(TSimd.Load(ref x, at + TSimd.Count), v, sum1);
            at += Height;
        }
        Store<TSimd, TVector>(sum0, sum1, ref MemoryMarshal.GetReference(products), 0);
    }

    static void Store<TSimd, TVector>(TVector first, TVector second, ref double to, nint offset)
        where TSimd : struct, ISimd<TVector, double>
    {
        TSimd.Store(first, ref to, offset);
        TSimd.Store(second, ref to, offset + TSimd.Count);
    }
}
