using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>Walks the north-west corner plan of two lists of weights of equal mass, one cell at a time, through every row and column.</summary>
/// <remarks>A cell where both sides run out is followed by one without mass, so that neighbours share a row or a column. Rounding is left on the last cell with mass.</remarks>
internal ref struct Staircase
{
    readonly ReadOnlySpan<double> _a;
    readonly ReadOnlySpan<int> _rows;
    readonly ReadOnlySpan<double> _b;
    readonly ReadOnlySpan<int> _columns;
    readonly int _lastI;
    readonly int _lastJ;
    double _leftA;
    double _leftB;

    /// <summary>Weights in the order of the walk.</summary>
    public Staircase(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
        : this(a, [], b, []) { }

    /// <summary>Weights, and the orders in which to walk them.</summary>
    public Staircase(ReadOnlySpan<double> a, ReadOnlySpan<int> rows, ReadOnlySpan<double> b, ReadOnlySpan<int> columns)
    {
        _a = a;
        _rows = rows;
        _b = b;
        _columns = columns;
        (_lastI, _lastJ) = (a.Length - 1, b.Length - 1);
        while (_lastI > 0 && A(_lastI) == 0)
            _lastI--;
        while (_lastJ > 0 && B(_lastJ) == 0)
            _lastJ--;
        (_leftA, _leftB) = (A(0), B(0));
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
            _leftA = A(++I);
        else
            _leftB = B(++J);
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

    readonly double A(int i) => _a[_rows.IsEmpty ? i : _rows[i]];

    readonly double B(int j) => _b[_columns.IsEmpty ? j : _columns[j]];
}

/// <summary>A measure on the line: sorted positions with their weights.</summary>
internal readonly record struct Side(double[] Positions, double[] Weights, double Mass, double MassSlack)
{
    /// <summary>Checks and sorts; empty weights stand for 1/n each. With a period, positions are taken modulo it and divided by it.</summary>
    public static Side Of(ReadOnlySpan<double> x, ReadOnlySpan<double> weights, string name, string weightName, double period = 0)
    {
        if (x.IsEmpty)
            throw new ArgumentException($"{name} is empty: it must have at least one position.", name);
        Guard.Finite(x, name);
        if (!weights.IsEmpty)
            Guard.Length(weights.Length, x.Length, weightName);
        Measure measure = weights.IsEmpty ? Measure.Uniform(x.Length) : Measure.Of(weights);
        double[] positions = x.ToArray();
        if (period > 0)
        {
            foreach (ref double position in positions.AsSpan())
            {
                double turns = position / period;
                position = turns - Math.Floor(turns);
                // A tiny negative number rounds up to a whole turn.
                if (position >= 1)
                    position = 0;
            }
        }
        double[] sorted = measure.Weights.ToArray();
        Array.Sort(positions, sorted);
        return new Side(positions, sorted, measure.Mass, measure.MassSlack);
    }

    /// <summary>The same side scaled to a mass from which it may differ by rounding alone.</summary>
    public Side WithMass(double mass)
    {
        if (Math.Abs(mass - Mass) > MassSlack * Math.Max(mass, Mass))
        {
            throw new ArgumentException(
                ExactProblem.Text($"The masses differ: {mass:G17} against {Mass:G17}. A distance needs equal masses.")
            );
        }
        var scaled = new double[Weights.Length];
        System.Numerics.Tensors.TensorPrimitives.Multiply(Weights, mass / Mass, scaled);
        return new Side(Positions, scaled, mass, MassSlack);
    }
}
