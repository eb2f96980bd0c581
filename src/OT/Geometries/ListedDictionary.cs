using System.Collections.Immutable;
using System.Numerics.Tensors;

namespace OT.Geometries;

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
