using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>A family of costs that is linear in a parameter: <c>c_θ = Σ_k θ_k c_k</c> over p known terms.</summary>
public abstract class CostDictionary
{
    private protected CostDictionary(int rows, int columns, int count) => (Rows, Columns, Count) = (rows, columns, count);

    /// <summary>Number of sources, n.</summary>
    public int Rows { get; }

    /// <summary>Number of targets, m.</summary>
    public int Columns { get; }

    /// <summary>Number of terms, p.</summary>
    public int Count { get; }

    /// <summary>The shape d × d' of θ where it is a matrix, stored row after row; null where it is a list.</summary>
    public virtual (int Rows, int Columns)? Shape => null;

    /// <summary><c>c_θ</c> as a geometry, for any solver.</summary>
    /// <param name="theta">p finite numbers.</param>
    /// <exception cref="ArgumentException">The length is not p, or a value is not finite.</exception>
    public abstract Geometry Cost(ReadOnlySpan<double> theta);

    /// <summary>The same terms between some of the sources and some of the targets, in the order given.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An index is out of range, or there is none.</exception>
    public abstract CostDictionary Select(ReadOnlySpan<int> rows, ReadOnlySpan<int> columns);

    /// <summary><c>x_a y_b</c> for every pair of coordinates: <c>c_A = xᵀ A y</c> with θ = A, d × d'. No term is ever formed.</summary>
    /// <param name="source">Source points, n × d, shared.</param>
    /// <param name="target">Target points, m × d', shared; d' may differ from d.</param>
    /// <exception cref="ArgumentException">A cloud is empty, or a coordinate is not finite.</exception>
    public static CostDictionary Bilinear(Matrix source, Matrix target)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        return new ProductDictionary(source, target, squares: false);
    }

    /// <summary><c>(x_k − y_k)²</c> for every coordinate k: a diagonal metric. No term is ever formed.</summary>
    /// <param name="source">Source points, n × d, shared.</param>
    /// <param name="target">Target points, m × d, shared.</param>
    /// <exception cref="ArgumentException">A cloud is empty, dimensions differ, or a coordinate is not finite.</exception>
    public static CostDictionary SquaredDifferences(Matrix source, Matrix target)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        return new ProductDictionary(source, target, squares: true);
    }

    /// <summary>Any geometries of one shape, none of which forbids a pair.</summary>
    /// <exception cref="ArgumentException">No term, unequal shapes, or a term that forbids a pair.</exception>
    public static CostDictionary Of(params ReadOnlySpan<Geometry> terms) => new ListedDictionary(terms);

    private protected void Check(ReadOnlySpan<double> theta)
    {
        Guard.Length(theta.Length, Count, nameof(theta));
        Guard.Finite(theta);
    }
}

/// <summary>Terms that are products of coordinates, up to functions of x and of y alone: <c>x_a y_b</c>, or <c>(x_k − y_k)²</c>.</summary>
internal sealed class ProductDictionary : CostDictionary
{
    public ProductDictionary(Matrix source, Matrix target, bool squares)
        : base(
            source.Rows,
            target.Rows,
            squares ? source.Columns : Guard.ArrayLength(source.Columns, target.Columns, "a parameter")
        )
    {
        ArgumentOutOfRangeException.ThrowIfZero(source.Rows, nameof(source));
        ArgumentOutOfRangeException.ThrowIfZero(target.Rows, nameof(target));
        if (source.Columns == 0 || target.Columns == 0 || (squares && source.Columns != target.Columns))
        {
            throw new ArgumentException(
                $"Source points have {source.Columns} coordinates, target points {target.Columns}: the counts must be positive{(squares ? " and equal" : "")}.",
                nameof(target)
            );
        }
        Guard.Finite(source.Values, nameof(source));
        Guard.Finite(target.Values, nameof(target));
        (Source, Target, Squares) = (source, target, squares);
    }

    public Matrix Source { get; }

    public Matrix Target { get; }

    /// <summary>Whether the terms are squared differences.</summary>
    public bool Squares { get; }

    public override (int Rows, int Columns)? Shape => Squares ? null : (Source.Columns, Target.Columns);

    public override Geometry Cost(ReadOnlySpan<double> theta)
    {
        Check(theta);
        if (!Squares)
            return new BilinearCost(Source, new Matrix(Source.Columns, Target.Columns, theta.ToArray()), Target);
        double[] weights = theta.ToArray();
        Geometry? gain = Scaled(weights, 1),
            loss = Scaled(weights, -1);
        return (gain, loss) switch
        {
            (null, null) => new PointCloud(new Matrix(Rows, 1), new Matrix(Columns, 1)),
            (not null, null) => gain,
            (null, not null) => new CostSum((-1, loss)),
            _ => new CostSum((1, gain), (-1, loss)),
        };
    }

    /// <summary>The part of one sign: a cloud whose coordinates are scaled by √|θ_k|; null where θ has none.</summary>
    PointCloud? Scaled(double[] theta, int sign)
    {
        int[] kept = [.. Enumerable.Range(0, Count).Where(k => sign * theta[k] > 0)];
        Matrix Stretch(Matrix points)
        {
            var values = new double[Guard.ArrayLength(points.Rows, kept.Length, "points")];
            for (int i = 0; i < points.Rows; i++)
            {
                for (int k = 0; k < kept.Length; k++)
                    values[(i * kept.Length) + k] = Math.Sqrt(Math.Abs(theta[kept[k]])) * points[i, kept[k]];
            }
            return new Matrix(points.Rows, kept.Length, values);
        }
        return kept.Length == 0 ? null : new PointCloud(Stretch(Source), Stretch(Target));
    }

    public override CostDictionary Select(ReadOnlySpan<int> rows, ReadOnlySpan<int> columns) =>
        new ProductDictionary(Source.SelectRows(rows), Target.SelectRows(columns), Squares);
}

/// <summary>Terms given as geometries.</summary>
internal sealed class ListedDictionary : CostDictionary
{
    public ListedDictionary(ReadOnlySpan<Geometry> terms)
        : base(terms.IsEmpty ? 0 : Present(terms[0]).Rows, terms.IsEmpty ? 0 : terms[0].Columns, terms.Length)
    {
        if (terms.IsEmpty)
            throw new ArgumentException("A dictionary needs at least one term.", nameof(terms));
        var row = new double[Columns];
        for (int k = 0; k < terms.Length; k++)
        {
            Geometry term = Present(terms[k]);
            if (term.Rows != Rows || term.Columns != Columns)
                throw new ArgumentException(
                    $"Term {k} is {term.Rows} x {term.Columns}, the first is {Rows} x {Columns}: shapes must be equal.",
                    nameof(terms)
                );
            if (!term.HasForbiddenPairs)
                continue;
            for (int i = 0; i < Rows; i++)
            {
                term.CostRow(i, row);
                if (!double.IsFinite(TensorPrimitives.MaxMagnitude<double>(row)))
                    throw new ArgumentException(
                        $"Term {k} forbids a pair in row {i}: terms must be finite. Forbid pairs in the fixed cost.",
                        nameof(terms)
                    );
            }
        }
        Terms = [.. terms];
    }

    public ImmutableArray<Geometry> Terms { get; }

    public override Geometry Cost(ReadOnlySpan<double> theta)
    {
        Check(theta);
        var sum = new (double, Geometry)[Count];
        for (int k = 0; k < Count; k++)
            sum[k] = (theta[k], new FiniteGeometry(Terms[k]));
        return new CostSum(sum);
    }

    public override CostDictionary Select(ReadOnlySpan<int> rows, ReadOnlySpan<int> columns)
    {
        int[] r = rows.ToArray(),
            c = columns.ToArray();
        return new ListedDictionary([.. Terms.Select(term => new SelectedGeometry(term, r, c))]);
    }

    static Geometry Present(Geometry term)
    {
        ArgumentNullException.ThrowIfNull(term, "terms");
        return term;
    }
}

/// <summary>A geometry that was looked at and forbids nothing, so that its weight may be negative.</summary>
internal sealed class FiniteGeometry(Geometry whole) : Geometry
{
    public override int Rows => whole.Rows;

    public override int Columns => whole.Columns;

    public override bool HasForbiddenPairs => false;

    public override double MagnitudeBound => whole.MagnitudeBound;

    public override double Cost(int row, int column) => whole.Cost(row, column);

    public override void CostRow(int row, Span<double> costs) => whole.CostRow(row, costs);
}

/// <summary>Some rows and columns of a geometry.</summary>
internal sealed class SelectedGeometry : Geometry
{
    readonly Geometry _whole;
    readonly int[] _rows;
    readonly int[] _columns;

    public SelectedGeometry(Geometry whole, int[] rows, int[] columns)
    {
        ArgumentOutOfRangeException.ThrowIfZero(rows.Length, nameof(rows));
        ArgumentOutOfRangeException.ThrowIfZero(columns.Length, nameof(columns));
        foreach (int row in rows)
            Guard.Index(row, whole.Rows, nameof(rows));
        foreach (int column in columns)
            Guard.Index(column, whole.Columns, nameof(columns));
        (_whole, _rows, _columns) = (whole, rows, columns);
    }

    public override int Rows => _rows.Length;

    public override int Columns => _columns.Length;

    public override bool HasForbiddenPairs => _whole.HasForbiddenPairs;

    public override double Cost(int row, int column) => _whole.Cost(_rows[row], _columns[column]);

    public override void CostRow(int row, Span<double> costs)
    {
        double[] rented = System.Buffers.ArrayPool<double>.Shared.Rent(_whole.Columns);
        try
        {
            _whole.CostRow(_rows[row], rented.AsSpan(0, _whole.Columns));
            for (int j = 0; j < _columns.Length; j++)
                costs[j] = rented[_columns[j]];
        }
        finally
        {
            System.Buffers.ArrayPool<double>.Shared.Return(rented);
        }
    }
}
