using System.Runtime.CompilerServices;
using OT.Backends.Managed;
using OT.Numerics;

namespace OT.Accelerators.Blas;

/// <summary>Dot products of blocks of rows with tiles of columns by BLAS.</summary>
static unsafe class DotProducts
{
    /// <summary>How targets are packed for it: point after point.</summary>
    public const int Panel = 1;

    /// <summary>Dot products of rows with a tile of columns.</summary>
    /// <param name="blas">The library.</param>
    /// <param name="points">The columns, in panels of <see cref="Panel"/>.</param>
    /// <param name="rows">Rows, one after the other.</param>
    /// <param name="count">Rows.</param>
    /// <param name="tile">First column.</param>
    /// <param name="width">Columns.</param>
    /// <param name="to">Receives the products, the first row's first.</param>
    /// <param name="stride">Elements from one row of products to the next.</param>
    public static void Multiply<T>(
        BlasLibrary blas,
        CentredCloud<T> points,
        AlignedBuffer<T> rows,
        int count,
        int tile,
        int width,
        ref T to,
        int stride
    )
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        int d = points.Dimension;
        fixed (
            T* x = &rows.Start,
                y = &Unsafe.Add(ref points.Target.Start, points.PanelStart(tile)),
                products = &to
        )
            blas.MultiplyTransposed(count, width, d, x, d, y, d, products, stride);
    }
}
