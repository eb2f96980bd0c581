using System.Collections.Immutable;
using OT.Numerics;

namespace OT.Problems;

/// <summary><c>λ Σ over classes K of rows and columns j of |P_Kj|₂</c>.</summary>
internal sealed class GroupLassoObjective : TransportObjective
{
    readonly ImmutableArray<int> _classes;
    readonly int _count;
    readonly double _lambda;

    public GroupLassoObjective(ReadOnlySpan<int> rowClasses, int columns, double lambda)
        : base(rowClasses.Length, columns)
    {
        _lambda = Guard.Positive(lambda);
        foreach (int label in rowClasses)
            ArgumentOutOfRangeException.ThrowIfNegative(label, nameof(rowClasses));
        // Labels may have gaps: they are numbered anew.
        int[] labels = [.. rowClasses.ToArray().Distinct().Order()];
        _classes = [.. rowClasses.ToArray().Select(label => Array.BinarySearch(labels, label))];
        _count = labels.Length;
    }

    public override bool IsConvex => true;

    public override double Value(ReadOnlySpan<double> plan) => _lambda * Summation.Sum(Norms(plan));

    public override void Gradient(ReadOnlySpan<double> plan, Span<double> gradient)
    {
        double[] norms = Norms(plan);
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                double norm = norms[(_classes[i] * Columns) + j];
                gradient[(i * Columns) + j] = norm > 0 ? _lambda * (plan[(i * Columns) + j] / norm) : 0;
            }
        }
    }

    double[] Norms(ReadOnlySpan<double> plan)
    {
        var norms = new double[_count * Columns];
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
                norms[(_classes[i] * Columns) + j] = double.Hypot(norms[(_classes[i] * Columns) + j], plan[(i * Columns) + j]);
        }
        return norms;
    }
}
