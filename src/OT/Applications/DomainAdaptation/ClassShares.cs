using System.Collections.Immutable;
using OT.Numerics;
using OT.Results;

namespace OT.Applications.DomainAdaptation;

/// <summary>How likely each point is of each class, as far as a plan tells: rows that sum to 1.</summary>
public sealed class ClassShares
{
    ClassShares(ImmutableArray<int> classes, Matrix shares) => (Classes, Shares) = (classes, shares);

    /// <summary>The classes that occur, in rising order: one for each column.</summary>
    public ImmutableArray<int> Classes { get; }

    /// <summary>Points × classes, from 0 to 1.</summary>
    public Matrix Shares { get; }

    /// <summary>The likeliest class of each point; the smallest of those that are equally likely.</summary>
    public int[] Predict()
    {
        var predicted = new int[Shares.Rows];
        for (int i = 0; i < predicted.Length; i++)
            predicted[i] = Classes[System.Numerics.Tensors.TensorPrimitives.IndexOfMax(Shares.Row(i))];
        return predicted;
    }

    /// <summary>
    /// Shares of each class in what reaches a point from points whose class is known; where nothing does, the shares of the classes in all of them.
    /// </summary>
    internal static ClassShares Of(TransportPlan plan, ReadOnlySpan<int> labels, ReadOnlySpan<double> weights, bool ofColumns)
    {
        Guard.Length(labels.Length, weights.Length, nameof(labels));
        int[] known = [.. labels.ToArray().Where(label => label >= 0).Distinct().Order()];
        int[] classes = Array.ConvertAll(labels.ToArray(), label => Array.BinarySearch(known, label));
        int count = known.Length,
            points = ofColumns ? plan.Columns : plan.Rows;
        var prior = new double[count];
        for (int i = 0; i < classes.Length; i++)
        {
            if (labels[i] < Domain.Unknown)
                Guard.ThrowElement(nameof(labels), i, labels[i], "a class is 0 or above, or -1 where it is not known");
            if (classes[i] >= 0)
                prior[classes[i]] += weights[i];
        }
        if (!(prior.Sum() > 0))
            throw new ArgumentException("No point of positive weight has a known class.", nameof(labels));
        var shares = new double[Guard.ArrayLength(points, count, "class shares")];
        Centre.Visit(
            plan,
            (i, columns, masses) =>
            {
                for (int e = 0; e < masses.Length; e++)
                {
                    int j = columns.IsEmpty ? e : columns[e];
                    int label = classes[ofColumns ? i : j];
                    if (label >= 0)
                        shares[((ofColumns ? j : i) * count) + label] += masses[e];
                }
            }
        );
        for (int i = 0; i < points; i++)
        {
            Span<double> row = shares.AsSpan(i * count, count);
            double sum = Summation.Sum(row);
            if (sum == 0)
            {
                prior.CopyTo(row);
                sum = prior.Sum();
            }
            System.Numerics.Tensors.TensorPrimitives.Divide(row, sum, row);
        }
        return new([.. known], new Matrix(points, count, shares));
    }
}
