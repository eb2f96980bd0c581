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
