using OT.IO;
using OT.Numerics;

namespace OT.Cli;

/// <summary>Numbers read from a file, row-major, with what messages need to point at a row.</summary>
sealed class Table
{
    readonly double[]? _values;
    readonly float[]? _singles;
    readonly int[]? _lines;

    /// <summary>A text file's numbers.</summary>
    /// <param name="name">The file.</param>
    /// <param name="header">Column names, or null.</param>
    /// <param name="columns">Numbers in each row.</param>
    /// <param name="values">All numbers.</param>
    /// <param name="lines">The line of each row, from 1.</param>
    public Table(string name, string[]? header, int columns, double[] values, int[] lines) =>
        (Name, Header, Rows, Columns, _values, _lines) = (name, header, lines.Length, columns, values, lines);

    Table(string name, int rows, int columns, double[]? values, float[]? singles) =>
        (Name, Rows, Columns, _values, _singles) = (name, rows, columns, values, singles);

    /// <summary>Numbers put together from parts.</summary>
    public static Table Of(
        string name,
        string[]? header,
        int rows,
        int columns,
        double[]? values,
        float[]? singles,
        int[]? lines
    ) => lines is null ? new(name, rows, columns, values, singles) : new(name, header, columns, values!, lines);

    /// <summary>Some of the rows, counted from 0 again.</summary>
    public Table Part(int start, int end) =>
        new(
            Name,
            end - start,
            Columns,
            _values?[(start * Columns)..(end * Columns)],
            _singles?[(start * Columns)..(end * Columns)]
        );

    public string Name { get; }

    /// <summary>The line of each row of a text file, from 1; null for an array.</summary>
    public int[]? Lines => _lines;

    public string[]? Header { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>The numbers as the file held them, when it held floats.</summary>
    public float[]? Singles => _singles;

    public static Table Of(NpyArray array, string name)
    {
        if (array.Text is not null)
            throw new InputException($"{name}: holds a text: numbers are wanted.");
        if (array.Count == 0)
            throw new InputException($"{name}: is empty: at least one row is wanted.");
        (int rows, int columns) = array.Shape.Length switch
        {
            0 => (1, 1),
            1 => (array.Shape[0], 1),
            2 => (array.Shape[0], array.Shape[1]),
            _ => throw new InputException($"{name}: has {array.Shape.Length} axes: one or two are wanted."),
        };
        return new Table(name, rows, columns, array.IsSingle ? null : array.ToDoubles(), array.Singles);
    }

    public double[] ToDoubles() => _values ?? Array.ConvertAll(_singles!, single => (double)single);

    public double this[int row, int column]
    {
        get
        {
            long at = ((long)row * Columns) + column;
            return _values is not null ? _values[at] : _singles![at];
        }
    }

    /// <summary>File and row, for messages: the line of a text file, the row counted from 0 of an array.</summary>
    public string Place(int row) => _lines is null ? $"{Name}, row {row}" : $"{Name}, line {_lines[row]}";

    public string ColumnName(int column) => Header is null ? $"column {column + 1}" : $"column '{Header[column]}'";

    /// <summary>Refuses numbers that break a rule.</summary>
    public void Require(Func<double, bool> holds, string rule)
    {
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                double value = this[i, j];
                if (!holds(value))
                    throw new InputException(FormattableString.Invariant($"{Place(i)}, {ColumnName(j)}: {value}: {rule}."));
            }
        }
    }

    /// <summary>The column of a name; the message lists those there are.</summary>
    public int FindColumn(string name)
    {
        if (Header is null)
            throw new InputException($"{Name}: has no header, so no column is named '{name}'.");
        int at = Array.IndexOf(Header, name);
        return at >= 0 ? at : throw new InputException($"{Name}: has no column '{name}': there are {string.Join(", ", Header)}.");
    }

    /// <summary>All columns but one, as a matrix.</summary>
    public Matrix Without(int column)
    {
        if (Columns == 1)
            throw new InputException($"{Name}: has no column beside {ColumnName(column)}: points need at least one coordinate.");
        var rest = new double[Rows * (Columns - 1)];
        int to = 0;
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                if (j != column)
                    rest[to++] = this[i, j];
            }
        }
        return new Matrix(Rows, Columns - 1, rest);
    }

    /// <summary>One column, as a table that points at the same rows.</summary>
    public Table Column(int column)
    {
        var values = new double[Rows];
        for (int i = 0; i < Rows; i++)
            values[i] = this[i, column];
        float[]? singles = _singles is null ? null : Array.ConvertAll(values, value => (float)value);
        return _lines is null
            ? new Table(Name, Rows, 1, singles is null ? values : null, singles)
            : new Table(Name, Header is null ? null : [Header[column]], 1, values, _lines);
    }
}
