using System.Numerics.Tensors;
using OT.Geometries;

namespace OT.Solvers.Sparse;

/// <summary>Of each row the columns that can have mass while prices stay near those of its last full pass: others need not be looked at, and no bit of a response changes.</summary>
/// <remarks>
/// A row's list holds every column whose value <c>g_j − C_ij</c> was above a floor when the list was made. Since then no value has risen by more than the sum of the largest rises of g from pass to pass, so that
/// every value above the floor raised by that sum is listed now. A response says itself how deep it has to look; where the list does not reach, the row is read whole and listed again. Memory: at most 12 (256 + 16 p) bytes for a row with p entries of the plan.
/// </remarks>
internal sealed class Shortlists(Geometry geometry)
{
    /// <summary>Lists of more than this share of the columns save little, and memory shall grow as the plan does: longer ones are not kept.</summary>
    const int LongestShare = 8;
    const int PerRow = 256;
    const int PerEntry = 16;

    /// <summary>A list reaches deeper than its row looks now by so many times the row's largest s, and so many times the last rise of prices.</summary>
    const double Depth = 1;
    const double Rises = 2;

    /// <summary>Values, and rises, are rounded differences: what may be lost by that is added, as a share of their size.</summary>
    const double Rounding = 1e-15;

    /// <summary>Rises beyond so many times the largest price would make that share too much.</summary>
    const double MostRisen = 1e3;

    readonly int[]?[] _columns = new int[]?[geometry.Rows];
    readonly double[]?[] _costs = new double[]?[geometry.Rows];
    readonly int[] _counts = new int[geometry.Rows];
    readonly double[] _floors = new double[geometry.Rows]; // less what prices had risen by when they were made
    readonly double[] _last = new double[geometry.Columns];
    double _risen = double.NaN;
    double _rise = double.PositiveInfinity;

    /// <summary>Says what prices the next pass has; <c>−∞</c> where nothing can go, always for the same columns.</summary>
    public void Move(ReadOnlySpan<double> prices)
    {
        double rise = double.NegativeInfinity,
            size = 0;
        for (int j = 0; j < prices.Length; j++)
        {
            if (double.IsNegativeInfinity(prices[j]))
                continue;
            rise = Math.Max(rise, prices[j] - _last[j]);
            size = Math.Max(size, Math.Abs(prices[j]));
        }
        prices.CopyTo(_last);
        _rise = rise;
        _risen += rise + (Rounding * (size + Math.Abs(_risen)));
        if (Math.Abs(_risen) <= MostRisen * size)
            return;
        // The first pass, or prices were no numbers, or have been far away: what was known is lost in rounding.
        (_risen, _rise) = (0, double.PositiveInfinity);
        Array.Clear(_counts);
    }

    /// <summary>Values of a row's listed columns; false where it has no list.</summary>
    /// <param name="i">The row.</param>
    /// <param name="prices">Those that <see cref="Move"/> was told last.</param>
    /// <param name="room">Receives the values.</param>
    /// <param name="columns">Their columns, increasing.</param>
    /// <param name="floor">Every value above this is among them.</param>
    public bool TryRead(int i, double[] prices, double[] room, out ReadOnlySpan<int> columns, out double floor)
    {
        columns = default;
        floor = _floors[i] + _risen;
        floor += Rounding * (Math.Abs(floor) + Math.Abs(_floors[i]) + Math.Abs(_risen));
        if (_columns[i] is not { } listed || _counts[i] == 0)
            return false;
        columns = listed.AsSpan(0, _counts[i]);
        double[] costs = _costs[i]!;
        for (int k = 0; k < columns.Length; k++)
            room[k] = prices[columns[k]] - costs[k];
        return true;
    }

    /// <summary>Lists a row that was read whole.</summary>
    /// <param name="i">The row.</param>
    /// <param name="costs">Its costs.</param>
    /// <param name="prices">The prices.</param>
    /// <param name="largest">Its largest value.</param>
    /// <param name="top">The largest s of its response.</param>
    /// <param name="wanted">How far below the largest value the response had to look.</param>
    /// <param name="entries">Entries of the response.</param>
    /// <param name="room">Scratch for as many columns as there are.</param>
    public void Keep(
        int i,
        ReadOnlySpan<double> costs,
        ReadOnlySpan<double> prices,
        double largest,
        double top,
        double wanted,
        int entries,
        int[] room
    )
    {
        _counts[i] = 0;
        double floor = largest - wanted - (Depth * top) - (Rises * Math.Max(0, _rise));
        int longest = Math.Min(costs.Length / LongestShare, PerRow + (PerEntry * entries)),
            count = 0;
        for (int j = 0; j < costs.Length && count <= longest; j++)
        {
            if (prices[j] - costs[j] > floor)
                room[count++] = j;
        }
        if (count > longest)
            return;
        if (!(_columns[i]?.Length >= count))
            (_columns[i], _costs[i]) = (new int[count], new double[count]);
        for (int k = 0; k < count; k++)
            (_columns[i]![k], _costs[i]![k]) = (room[k], costs[room[k]]);
        (_counts[i], _floors[i]) = (count, floor - _risen);
    }
}
