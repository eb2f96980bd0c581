namespace OT.Numerics;

/// <summary>Products of dense matrices, on one thread.</summary>
/// <remarks>
/// All are brought to A Bᵀ over <see cref="RowPanels"/>: an entry is one chain of fused multiply-adds, so its bits depend neither on the register width nor on where in memory the
/// matrices lie. Transposing and packing cost as much as a few vectors' products.
/// </remarks>
internal static class Products
{
    /// <summary><c>A Bᵀ</c>; both have at least one column, as many each.</summary>
    public static Matrix TimesTransposed(Matrix a, Matrix b)
    {
        Guard.Length(b.Columns, a.Columns, nameof(b));
        var panels = new RowPanels(b, Simd.Width);
        var products = new double[Guard.ArrayLength(a.Rows, panels.Stride, "a product")];
        panels.Multiply(a.Values, products);
        if (panels.Stride == b.Rows)
            return new Matrix(a.Rows, b.Rows, products);
        var result = new double[a.Rows * b.Rows];
        for (int i = 0; i < a.Rows; i++)
            products.AsSpan(i * panels.Stride, b.Rows).CopyTo(result.AsSpan(i * b.Rows));
        return new Matrix(a.Rows, b.Rows, result);
    }

    /// <summary><c>A B</c>.</summary>
    public static Matrix Times(Matrix a, Matrix b) => TimesTransposed(a, b.Transpose());

    /// <summary><c>Aᵀ B</c>.</summary>
    public static Matrix TransposedTimes(Matrix a, Matrix b) => TimesTransposed(a.Transpose(), b.Transpose());
}
