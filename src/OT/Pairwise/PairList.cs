using OT.Numerics;

namespace OT.Pairwise;

/// <summary>The entries of a matrix that have to be computed, numbered row by row: all, or those on and above the diagonal, or those above it.</summary>
/// <param name="Rows">K.</param>
/// <param name="Columns">L; K where symmetric.</param>
/// <param name="IsSymmetric">Whether entry (j, i) is entry (i, j).</param>
/// <param name="HasZeroDiagonal">Whether the diagonal is 0 without computing.</param>
sealed record PairList(int Rows, int Columns, bool IsSymmetric, bool HasZeroDiagonal)
{
    /// <summary>Number of entries to compute.</summary>
    public int Count { get; } = Guard.ArrayLength(Start(Rows, Columns, IsSymmetric, HasZeroDiagonal), 1, "a list of pairs");

    /// <summary>The entry of a number.</summary>
    public (int Row, int Column) At(int pair)
    {
        // The last row that begins at or before the pair.
        int low = 0,
            high = Rows - 1;
        while (low < high)
        {
            int middle = low + ((high - low + 1) / 2);
            if (Start(middle) <= pair)
                low = middle;
            else
                high = middle - 1;
        }
        int at = (int)(pair - Start(low));
        if (IsSymmetric)
            return (low, low + at + (HasZeroDiagonal ? 1 : 0));
        return (low, HasZeroDiagonal && at >= low ? at + 1 : at);
    }

    /// <summary>The number of an entry, by the other one of the two where the matrix is symmetric; −1 on a diagonal of zeros.</summary>
    public int IndexOf(int row, int column)
    {
        if (HasZeroDiagonal && row == column)
            return -1;
        if (!IsSymmetric)
            return (int)(Start(row) + column - (HasZeroDiagonal && column > row ? 1 : 0));
        (int i, int j) = (Math.Min(row, column), Math.Max(row, column));
        return (int)(Start(i) + j - i - (HasZeroDiagonal ? 1 : 0));
    }

    long Start(int row) => Start(row, Columns, IsSymmetric, HasZeroDiagonal);

    /// <summary>Entries before a row.</summary>
    static long Start(long row, long columns, bool symmetric, bool zeroDiagonal) =>
        (row * columns) - (symmetric ? row * (row - 1) / 2 : 0) - (zeroDiagonal ? row : 0);
}
