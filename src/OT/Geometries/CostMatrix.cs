using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>Costs given one by one: an explicit n × m matrix, stored as doubles or as floats.</summary>
public sealed class CostMatrix : Geometry
{
    readonly double[]? _doubles;
    readonly float[]? _singles;
    readonly bool _forbidden;

    /// <summary>Wraps a row-major array of n × m costs, shared and not copied. <c>+∞</c> forbids a pair.</summary>
    /// <exception cref="ArgumentException">A count is zero, the length does not match, or a cost is NaN or <c>-∞</c>.</exception>
    public CostMatrix(int rows, int columns, double[] costs)
    {
        ArgumentNullException.ThrowIfNull(costs);
        CheckShape(rows, columns, costs.Length);
        (Rows, Columns, _doubles) = (rows, columns, costs);
        _forbidden = Check<double>(costs, columns);
    }

    /// <summary>Wraps a row-major array of n × m float costs, shared, not copied, not widened.</summary>
    /// <inheritdoc cref="CostMatrix(int, int, double[])"/>
    public CostMatrix(int rows, int columns, float[] costs)
    {
        ArgumentNullException.ThrowIfNull(costs);
        CheckShape(rows, columns, costs.Length);
        (Rows, Columns, _singles) = (rows, columns, costs);
        _forbidden = Check<float>(costs, columns);
    }

    CostMatrix(double[] finite, int rows, int columns) => (Rows, Columns, _doubles) = (rows, columns, finite);

    /// <summary>Wraps costs that were just computed and are known to be finite: without another pass over them.</summary>
    /// <param name="rows">n.</param>
    /// <param name="columns">m.</param>
    /// <param name="costs">n × m of them.</param>
    /// <param name="maker">The back end that computed them; null where it was the solver's own code.</param>
    internal static CostMatrix OfFinite(int rows, int columns, double[] costs, string? maker = null) =>
        new(costs, rows, columns) { Form = maker is null ? StoredForm : $"{StoredForm} made by {maker}" };

    const string StoredForm = "stored costs";

    /// <summary>What this is in the description of an operator.</summary>
    internal string Form { get; private init; } = StoredForm;

    /// <summary>Copies a two-dimensional array.</summary>
    public CostMatrix(double[,] costs)
        : this(new ReadOnlyTensorSpan<double>(costs)) { }

    /// <summary>Copies a tensor span of rank 2; its strides are honoured.</summary>
    public CostMatrix(ReadOnlyTensorSpan<double> costs)
        : this(0, Flatten(costs)) { }

    /// <summary>Copies a tensor span of floats of rank 2; its strides are honoured and storage stays float.</summary>
    public CostMatrix(ReadOnlyTensorSpan<float> costs)
        : this(0, Flatten(costs)) { }

    CostMatrix(int _, (int Rows, int Columns, double[] Values) flat)
        : this(flat.Rows, flat.Columns, flat.Values) { }

    CostMatrix(int _, (int Rows, int Columns, float[] Values) flat)
        : this(flat.Rows, flat.Columns, flat.Values) { }

    /// <summary>Bytes up to which iterative solvers tabulate costs that would take longer to compute than to read.</summary>
    internal const long TabulatedBytes = 256L << 20;

    /// <summary>
    /// The geometry itself where its costs are quick (a matrix, a separable grid, squared distances in few dimensions) or its table would be large; else its
    /// table.
    /// </summary>
    internal static Geometry Quick(Geometry geometry, long memoryLimit) =>
        TableBytes(geometry) is > 0 and var bytes && bytes <= memoryLimit ? From(geometry) : geometry;

    /// <summary>Bytes of the table that <see cref="Quick"/> would make; 0 for none.</summary>
    internal static long TableBytes(Geometry geometry)
    {
        const int fewDimensions = 8; // a dot product of so many costs as much as reading a stored cost
        // What lies with several processes is a table already, or each of them makes its own.
        bool quick =
            !ReferenceEquals(geometry.Share, RowShare.Whole)
            || geometry
                is CostMatrix
                    or Grid
                    or PointCloud { GroundCost: GroundCost.SquaredEuclideanCost, Dimension: <= fewDimensions };
        long bytes = sizeof(double) * (long)geometry.Rows * geometry.Columns;
        return quick || bytes > TabulatedBytes ? 0 : bytes;
    }

    /// <summary>Tabulates any geometry: n × m doubles.</summary>
    public static CostMatrix From(Geometry geometry)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        int m = geometry.Columns;
        var costs = new double[Guard.ArrayLength(geometry.Rows, m, "a cost matrix")];
        const int together = 16; // rows, which point clouds make faster together
        void Fill(int block)
        {
            int start = block * together,
                count = Math.Min(together, geometry.Rows - start);
            geometry.CostRows(start, count, costs.AsSpan(start * m, count * m));
        }
        try
        {
            Parallel.For(0, (geometry.Rows + together - 1) / together, Fill);
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
        return new CostMatrix(geometry.Rows, m, costs);
    }

    /// <inheritdoc/>
    public override int Rows { get; }

    /// <inheritdoc/>
    public override int Columns { get; }

    /// <inheritdoc/>
    public override bool HasForbiddenPairs => _forbidden;

    /// <summary>Whether the costs are stored as floats.</summary>
    public bool IsSingle => _singles is not null;

    internal override ulong Fingerprint() => Fingerprint(0);

    /// <summary>A sum over rows, so that processes that hold some of them can add theirs up.</summary>
    internal ulong Fingerprint(int firstRow)
    {
        var row = new double[Columns];
        ulong sum = 0;
        for (int i = 0; i < Rows; i++)
        {
            CostRow(i, row);
            sum += BitHash.Of((ulong)(firstRow + i), row);
        }
        return sum;
    }

    /// <inheritdoc/>
    public override double Cost(int row, int column)
    {
        Guard.Index(row, Rows);
        Guard.Index(column, Columns);
        long at = ((long)row * Columns) + column;
        return _doubles is not null ? _doubles[at] : _singles![at];
    }

    /// <inheritdoc/>
    public override void CostRow(int row, Span<double> costs)
    {
        Guard.Index(row, Rows);
        if (_doubles is not null)
            _doubles.AsSpan(row * Columns, Columns).CopyTo(costs);
        else
            TensorPrimitives.ConvertTruncating<float, double>(_singles.AsSpan(row * Columns, Columns), costs);
    }

    /// <summary>The stored doubles, or null when storage is float.</summary>
    internal double[]? Doubles => _doubles;

    /// <summary>The stored floats, or null when storage is double.</summary>
    internal float[]? Singles => _singles;

    static void CheckShape(int rows, int columns, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        Guard.Length(length, Guard.ArrayLength(rows, columns, "a cost matrix"), "costs");
    }

    static bool Check<T>(ReadOnlySpan<T> costs, int columns)
        where T : System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        // A sum over blocks finds trouble at vector speed; the slow look runs only where there is some.
        bool forbidden = false;
        for (int start = 0; start < costs.Length; start += 4096)
        {
            ReadOnlySpan<T> block = costs.Slice(start, Math.Min(4096, costs.Length - start));
            if (T.IsFinite(TensorPrimitives.SumOfMagnitudes(block)))
                continue;
            for (int k = 0; k < block.Length; k++)
            {
                if (T.IsNaN(block[k]) || T.IsNegativeInfinity(block[k]))
                {
                    long at = (long)start + k;
                    throw new ArgumentException(
                        $"costs[{at / columns}, {at % columns}] is {block[k]}: a cost must be finite, or +∞ to forbid the pair.",
                        nameof(costs)
                    );
                }
                forbidden |= T.IsPositiveInfinity(block[k]);
            }
        }
        return forbidden;
    }

    static (int Rows, int Columns, T[] Values) Flatten<T>(ReadOnlyTensorSpan<T> costs)
    {
        T[] values = Matrix.Flatten(costs, out int rows, out int columns);
        return (rows, columns, values);
    }
}
