using System.Numerics;
using System.Runtime.CompilerServices;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Dot products of rows with a tile of columns: four rows with a few registers of columns at a time, in registers.</summary>
/// <remarks>Columns are packed by panels, as wide as those registers, so that each is read in order, and by all rows of a block but the first four while the first two caches hold it.</remarks>
internal static class DotTile<TSimd, TVector, T>
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Rows that are multiplied together.</summary>
    public const int RowGroup = 4;

    /// <summary>Four registers of columns where there are 32 registers, as sixteen sums, four of columns and a coordinate take 21; else two.</summary>
    static bool IsWide
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Unsafe.SizeOf<TVector>() == 64;
    }

    /// <summary>Columns of a panel.</summary>
    public static int Panel
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => IsWide ? 4 * TSimd.Count : 2 * TSimd.Count;
    }

    /// <summary>Dot products of rows with a tile of columns.</summary>
    /// <param name="points">The columns, in panels of <see cref="Panel"/>.</param>
    /// <param name="rows">Rows, one after the other, with room for whole groups of them.</param>
    /// <param name="count">Rows; the last group may have some left over from another block, whose products nobody reads.</param>
    /// <param name="tile">First column, where a panel begins.</param>
    /// <param name="width">Columns, whole panels.</param>
    /// <param name="to">Receives the products, the first row's first; room for whole groups of rows.</param>
    /// <param name="stride">Elements from one row of products to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        CentredCloud<T> points,
        AlignedBuffer<T> rows,
        int count,
        int tile,
        int width,
        ref T to,
        int stride
    )
    {
        int d = points.Dimension;
        for (int j = 0; j < width; j += Panel)
        {
            ref T panel = ref Unsafe.Add(ref points.Target.Start, points.PanelStart(tile + j));
            for (int r = 0; r < count; r += RowGroup)
                Multiply(
                    ref Unsafe.Add(ref rows.Start, (nint)r * d),
                    d,
                    ref panel,
                    ref Unsafe.Add(ref to, ((nint)r * stride) + j),
                    stride
                );
        }
    }

    /// <summary>Four rows times a panel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Multiply(ref T x0, nint d, ref T panel, ref T to, nint stride)
    {
        TVector c00 = TSimd.Zero,
            c01 = TSimd.Zero,
            c02 = TSimd.Zero,
            c03 = TSimd.Zero,
            c10 = TSimd.Zero,
            c11 = TSimd.Zero,
            c12 = TSimd.Zero,
            c13 = TSimd.Zero,
            c20 = TSimd.Zero,
            c21 = TSimd.Zero,
            c22 = TSimd.Zero,
            c23 = TSimd.Zero,
            c30 = TSimd.Zero,
            c31 = TSimd.Zero,
            c32 = TSimd.Zero,
            c33 = TSimd.Zero,
            y2 = TSimd.Zero,
            y3 = TSimd.Zero;
        ref T x1 = ref Unsafe.Add(ref x0, d);
        ref T x2 = ref Unsafe.Add(ref x1, d);
        ref T x3 = ref Unsafe.Add(ref x2, d);
        for (nint k = 0; k < d; k++)
        {
            TVector y0 = TSimd.Load(ref panel, 0),
                y1 = TSimd.Load(ref panel, TSimd.Count);
            if (IsWide)
            {
                y2 = TSimd.Load(ref panel, 2 * TSimd.Count);
                y3 = TSimd.Load(ref panel, 3 * TSimd.Count);
            }
            AddProducts(TSimd.Fill(Unsafe.Add(ref x0, k)), y0, y1, y2, y3, ref c00, ref c01, ref c02, ref c03);
            AddProducts(TSimd.Fill(Unsafe.Add(ref x1, k)), y0, y1, y2, y3, ref c10, ref c11, ref c12, ref c13);
            AddProducts(TSimd.Fill(Unsafe.Add(ref x2, k)), y0, y1, y2, y3, ref c20, ref c21, ref c22, ref c23);
            AddProducts(TSimd.Fill(Unsafe.Add(ref x3, k)), y0, y1, y2, y3, ref c30, ref c31, ref c32, ref c33);
            panel = ref Unsafe.Add(ref panel, Panel);
        }
        Store(ref to, c00, c01, c02, c03);
        Store(ref Unsafe.Add(ref to, stride), c10, c11, c12, c13);
        Store(ref Unsafe.Add(ref to, 2 * stride), c20, c21, c22, c23);
        Store(ref Unsafe.Add(ref to, 3 * stride), c30, c31, c32, c33);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void AddProducts(
        TVector x,
        TVector y0,
        TVector y1,
        TVector y2,
        TVector y3,
        ref TVector c0,
        ref TVector c1,
        ref TVector c2,
        ref TVector c3
    )
    {
        c0 = TSimd.MultiplyAdd(x, y0, c0);
        c1 = TSimd.MultiplyAdd(x, y1, c1);
        if (IsWide)
        {
            c2 = TSimd.MultiplyAdd(x, y2, c2);
            c3 = TSimd.MultiplyAdd(x, y3, c3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(ref T to, TVector c0, TVector c1, TVector c2, TVector c3)
    {
        TSimd.Store(c0, ref to, 0);
        TSimd.Store(c1, ref to, TSimd.Count);
        if (IsWide)
        {
            TSimd.Store(c2, ref to, 2 * TSimd.Count);
            TSimd.Store(c3, ref to, 3 * TSimd.Count);
        }
    }
}
