namespace OT.Solvers.Exact;

/// <summary>Walks the north-west corner plan of two lists of weights of equal mass, one cell at a time, through every row and column.</summary>
/// <remarks>A cell where both sides run out is followed by one without mass, so that neighbours share a row or a column. Rounding is left on the last cell with mass.</remarks>
internal ref struct Staircase
{
    readonly ReadOnlySpan<double> _a;
    readonly ReadOnlySpan<double> _b;
    readonly int _lastI;
    readonly int _lastJ;
    double _leftA;
    double _leftB;

    /// <summary>Weights in the order of the walk.</summary>
    public Staircase(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        _a = a;
        _b = b;
        (_lastI, _lastJ) = (a.Length - 1, b.Length - 1);
        while (_lastI > 0 && _a[_lastI] == 0)
            _lastI--;
        while (_lastJ > 0 && _b[_lastJ] == 0)
            _lastJ--;
        (_leftA, _leftB) = (_a[0], _b[0]);
        Settle();
    }

    /// <summary>Position in the first list.</summary>
    public int I { get; private set; }

    /// <summary>Position in the second list.</summary>
    public int J { get; private set; }

    /// <summary>Mass of the present cell, 0 for a cell that only joins two others.</summary>
    public double Mass { get; private set; }

    /// <summary>Goes to the next cell; false at the end, with the position unchanged.</summary>
    public bool Advance()
    {
        _leftA -= Mass;
        _leftB -= Mass;
        bool lastRow = I == _a.Length - 1,
            lastColumn = J == _b.Length - 1;
        if (lastRow && lastColumn)
            return false;
        // The last row with mass takes all columns that are left, the last column all rows: rounding must not end the walk early.
        bool rowDone = I >= _lastI ? J >= _lastJ && !lastRow : J >= _lastJ || _leftA < _leftB;
        if (lastColumn || (rowDone && !lastRow))
            _leftA = _a[++I];
        else
            _leftB = _b[++J];
        Settle();
        return true;
    }

    void Settle()
    {
        if (I > _lastI || J > _lastJ)
            Mass = 0;
        else if (I == _lastI)
            Mass = J == _lastJ ? Math.Max(Math.Max(_leftA, _leftB), 0) : _leftB;
        else
            Mass = J == _lastJ ? _leftA : Math.Min(_leftA, _leftB);
    }
}
