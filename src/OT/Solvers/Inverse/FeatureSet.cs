using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Inverse;

/// <summary>A cost that a back end is good at: <c>C_ij = Geometry_ij − RowShift_i − ColumnShift_j</c>.</summary>
internal sealed record ShiftedCost(Geometry Geometry, double[] RowShift, double[] ColumnShift);

/// <summary>The terms of a dictionary, each less its means: <c>Σ_j b_j c_k(i, j) = 0</c> and <c>Σ_i a_i c_k(i, j) = 0</c>.</summary>
/// <remarks>
/// That takes a function of x and one of y off each term, which no plan with marginals a and b notices, and with them the cancellation that they would bring.
/// A term is a coefficient times a row of a basis: <c>c_k(i, j) = coefficient(i, k) basis_β(k)(i, j)</c>, so that terms that share their basis share its products.
/// </remarks>
internal abstract class FeatureSet(int count, Measure a, Measure b)
{
    /// <summary>Number of terms, p.</summary>
    public int Count { get; } = count;

    /// <summary>Source weights, mass 1.</summary>
    public Measure A { get; } = a;

    /// <summary>Target weights, mass 1.</summary>
    public Measure B { get; } = b;

    /// <summary>Number of basis rows.</summary>
    public abstract int BasisCount { get; }

    /// <summary>β(k).</summary>
    public abstract int Basis(int term);

    /// <summary>The factor of term k in row i.</summary>
    public abstract double Coefficient(int row, int term);

    /// <summary>One row of a basis: its own memory, or the scratch given.</summary>
    public abstract ReadOnlySpan<double> BasisRow(int basis, int row, Span<double> scratch);

    /// <summary>A bound of |c_k| before and after the means are taken off.</summary>
    public abstract (double Raw, double Centred) Magnitude(int term);

    /// <summary>Standard deviation of c_k under a ⊗ b; 0 where what is left beside the means is their rounding.</summary>
    public abstract double Deviation(int term);

    /// <summary><c>Σ_k θ_k c_k</c>.</summary>
    public abstract ShiftedCost Cost(ReadOnlySpan<double> theta);

    /// <summary><c>⟨c_k, P⟩</c> for all terms and P's row sums, by an operator's products; null where rows of P are needed.</summary>
    public virtual (double[] Means, double[] RowSums)? Means(ICostOperator op, in GibbsPlan plan) => null;

    /// <summary><c>Σ_ij a_i b_j c_k c_l</c>: p × p; null where it is too large and known by its factors.</summary>
    public abstract double[][]? Gram { get; }

    /// <summary><c>⟨c_k, P̂⟩</c> of a sparse coupling.</summary>
    public double[] Means(SparseMatrix coupling)
    {
        var means = new Compensated[Count];
        var scratch = new double[B.Count];
        var sums = new double[BasisCount];
        for (int i = 0; i < coupling.Rows; i++)
        {
            ReadOnlySpan<int> columns = coupling.RowColumns(i);
            ReadOnlySpan<double> masses = coupling.RowValues(i);
            if (columns.IsEmpty)
                continue;
            for (int q = 0; q < sums.Length; q++)
            {
                ReadOnlySpan<double> row = BasisRow(q, i, scratch);
                sums[q] = 0;
                for (int k = 0; k < columns.Length; k++)
                    sums[q] += masses[k] * row[columns[k]];
            }
            for (int k = 0; k < Count; k++)
                means[k].Add(Coefficient(i, k) * sums[Basis(k)]);
        }
        return Array.ConvertAll(means, sum => sum.Value);
    }

    /// <summary>Refuses terms whose squares leave the range of doubles.</summary>
    protected void CheckSizes()
    {
        const double largest = 1e150;
        for (int k = 0; k < Count; k++)
        {
            double size = Magnitude(k).Raw;
            if (size is not (0 or (>= 1 / largest and <= largest)))
                throw new ArgumentException(
                    FormattableString.Invariant(
                        $"Term {k} has costs up to {size:G6}, whose squares leave the range of doubles: scale it to between {1 / largest:G1} and {largest:G1}."
                    )
                );
        }
    }

    public static FeatureSet Of(CostDictionary dictionary, Measure a, Measure b, int threads, CancellationToken cancellation) =>
        dictionary is ProductDictionary products
            ? new ProductFeatures(products, a, b)
            : new ListedFeatures((ListedDictionary)dictionary, a, b, threads, cancellation);
}
