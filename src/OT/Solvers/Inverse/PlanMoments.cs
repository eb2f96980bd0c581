using System.Numerics.Tensors;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>Sums of <c>P ∘ c_k</c> for some terms: their products, row sums and column sums.</summary>
/// <param name="Products"><c>⟨c_k, c_l⟩_P</c> for l ≤ k, row after row.</param>
/// <param name="Rows"><c>(P ∘ c_k) 1</c>, one term after another.</param>
/// <param name="Columns"><c>(P ∘ c_k)ᵀ 1</c> likewise.</param>
internal sealed record TermSums(double[] Products, double[] Rows, double[] Columns);

/// <summary>Passes over the rows of a plan that look at all terms at once, on several threads.</summary>
internal sealed class PlanMoments(FeatureSet features, TransportPlan plan, int threads, CancellationToken cancellation)
{
    readonly int _n = plan.Rows;
    readonly int _m = plan.Columns;

    /// <summary><c>⟨c_k, P⟩</c> for all terms, and P's row sums.</summary>
    public (double[] Means, double[] RowSums) Means()
    {
        var rowSums = new double[_n];
        int q = features.BasisCount;
        double[] means = RowReduction.Sum(
            _n,
            features.Count,
            (2 * _m) + q,
            threads,
            (i, scratch, sum) =>
            {
                Span<double> masses = scratch[.._m];
                plan.Row(i, masses);
                rowSums[i] = TensorPrimitives.Sum<double>(masses);
                AddMeans(i, masses, scratch.Slice(_m, _m), scratch.Slice(2 * _m, q), sum);
            },
            cancellation
        );
        return (means, rowSums);
    }

    /// <summary>What the Hessian between some terms is made of. Terms that share a basis share its products.</summary>
    public TermSums Sums(int[] terms)
    {
        int count = terms.Length;
        int[] bases = [.. terms.Select(features.Basis).Distinct().Order()];
        int[] place = [.. terms.Select(k => Array.BinarySearch(bases, features.Basis(k)))];
        int q = bases.Length;
        var rows = new double[count * _n];
        double[] sums = RowReduction.Sum(
            _n,
            (count * count) + (count * _m),
            ((q + 3) * _m) + (q * q) + count,
            threads,
            (i, scratch, sum) =>
            {
                Span<double> masses = scratch.Slice(q * _m, _m),
                    weighted = scratch.Slice((q + 1) * _m, _m),
                    room = scratch.Slice((q + 2) * _m, _m),
                    products = scratch.Slice((q + 3) * _m, q * q),
                    factors = scratch.Slice(((q + 3) * _m) + (q * q), count);
                plan.Row(i, masses);
                for (int x = 0; x < q; x++)
                {
                    Span<double> basis = scratch.Slice(x * _m, _m);
                    features.BasisRow(bases[x], i, room).CopyTo(basis);
                    TensorPrimitives.Multiply(basis, masses, weighted);
                    for (int y = 0; y <= x; y++)
                    {
                        double product = TensorPrimitives.Dot<double>(weighted, scratch.Slice(y * _m, _m));
                        products[(x * q) + y] = products[(y * q) + x] = product;
                    }
                    double total = TensorPrimitives.Sum<double>(weighted);
                    for (int k = 0; k < count; k++)
                    {
                        if (place[k] != x)
                            continue;
                        factors[k] = features.Coefficient(i, terms[k]);
                        rows[(k * _n) + i] = factors[k] * total;
                        Span<double> column = sum.Slice((count * count) + (k * _m), _m);
                        TensorPrimitives.MultiplyAdd(weighted, factors[k], column, column);
                    }
                }
                for (int k = 0; k < count; k++)
                {
                    for (int l = 0; l <= k; l++)
                        sum[(k * count) + l] += factors[k] * factors[l] * products[(place[k] * q) + place[l]];
                }
            },
            cancellation
        );
        return new TermSums(sums[..(count * count)], rows, sums[(count * count)..]);
    }

    /// <summary>Row and column sums of <c>P ∘ c</c> for <c>c = Σ_k v_k c_k</c>.</summary>
    public (double[] Rows, double[] Columns) Sums(double[] v)
    {
        var rows = new double[_n];
        double[] columns = RowReduction.Sum(
            _n,
            _m,
            (3 * _m) + features.BasisCount,
            threads,
            (i, scratch, sum) =>
            {
                Span<double> weighted = Weighted(i, v, scratch);
                rows[i] = TensorPrimitives.Sum<double>(weighted);
                TensorPrimitives.Add(sum, weighted, sum);
            },
            cancellation
        );
        return (rows, columns);
    }

    /// <summary><c>⟨c_k, P ∘ (c − f − g)⟩</c> for all terms and <c>c = Σ_k v_k c_k</c>.</summary>
    public double[] MeansOfRest(double[] v, double[] f, double[] g)
    {
        int q = features.BasisCount;
        return RowReduction.Sum(
            _n,
            features.Count,
            (3 * _m) + (2 * q),
            threads,
            (i, scratch, sum) =>
            {
                Span<double> rest = Weighted(i, v, scratch),
                    masses = scratch.Slice(_m, _m);
                TensorPrimitives.MultiplyAdd(masses, -f[i], rest, rest);
                TensorPrimitives.Multiply(masses, g, masses);
                TensorPrimitives.Subtract(rest, masses, rest);
                AddMeans(i, rest, scratch.Slice(2 * _m, _m), scratch.Slice((3 * _m) + q, q), sum);
            },
            cancellation
        );
    }

    /// <summary>One row of <c>P ∘ Σ_k v_k c_k</c>, in the first m numbers of the scratch; P in the next.</summary>
    Span<double> Weighted(int i, double[] v, Span<double> scratch)
    {
        Span<double> cost = scratch[.._m],
            masses = scratch.Slice(_m, _m),
            room = scratch.Slice(2 * _m, _m),
            factors = scratch.Slice(3 * _m, features.BasisCount);
        factors.Clear();
        for (int k = 0; k < v.Length; k++)
        {
            if (v[k] != 0)
                factors[features.Basis(k)] += v[k] * features.Coefficient(i, k);
        }
        cost.Clear();
        for (int q = 0; q < factors.Length; q++)
        {
            if (factors[q] != 0)
                TensorPrimitives.MultiplyAdd(features.BasisRow(q, i, room), factors[q], cost, cost);
        }
        plan.Row(i, masses);
        TensorPrimitives.Multiply(cost, masses, cost);
        return cost;
    }

    /// <summary>Adds <c>Σ_j weights_j c_k(i, j)</c> to every mean.</summary>
    void AddMeans(int i, ReadOnlySpan<double> weights, Span<double> room, Span<double> dots, Span<double> means)
    {
        for (int q = 0; q < dots.Length; q++)
            dots[q] = TensorPrimitives.Dot(weights, features.BasisRow(q, i, room));
        for (int k = 0; k < features.Count; k++)
            means[k] += features.Coefficient(i, k) * dots[features.Basis(k)];
    }
}
