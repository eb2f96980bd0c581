using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>A measure on the line: positions in ascending order with their weights.</summary>
internal sealed class Side
{
    Side(double[] positions, double[] weights, double mass, double massSlack)
    {
        (Positions, Weights, Mass, MassSlack) = (positions, weights, mass, massSlack);
    }

    public double[] Positions { get; private set; }

    /// <summary>Weights in the order of the positions; empty for <see cref="Mass"/> / <see cref="Count"/> each.</summary>
    public double[] Weights { get; private set; }

    public double Mass { get; private set; }

    public double MassSlack { get; }

    public int Count => Positions.Length;

    /// <summary>Whether all weights are the same.</summary>
    public bool IsEven => Weights.Length == 0;

    /// <summary>Checks two measures of equal mass and sorts them; empty weights stand for 1/n each. With a period, positions are taken modulo it and divided by it.</summary>
    public static (Side Source, Side Target) Pair(
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> y,
        ReadOnlySpan<double> b,
        double period = 0
    )
    {
        Side source = Of(x, a, period, nameof(x), nameof(a)),
            target = Of(y, b, period, nameof(y), nameof(b));
        target.ScaleTo(source);
        Fork.Join(source.Count + target.Count, source.Sort, target.Sort);
        return (source, target);
    }

    /// <summary>The weights, written out where they are all the same.</summary>
    public double[] WrittenWeights()
    {
        if (!IsEven)
            return Weights;
        var weights = new double[Count];
        Array.Fill(weights, Mass / Count);
        return weights;
    }

    static Side Of(ReadOnlySpan<double> x, ReadOnlySpan<double> weights, double period, string name, string weightName)
    {
        if (x.IsEmpty)
            throw new ArgumentException($"{name} is empty: it must have at least one position.", name);
        Guard.Finite(x, name);
        double[] positions = GC.AllocateUninitializedArray<double>(x.Length);
        x.CopyTo(positions);
        if (period > 0)
            Wrap(positions, period);
        if (weights.IsEmpty)
            return new Side(positions, [], 1, Measure.DoubleSlack);
        Guard.Length(weights.Length, x.Length, weightName);
        Measure measure = Measure.Of(weights);
        bool even = !weights.ContainsAnyExcept(weights[0]);
        return new Side(positions, even ? [] : weights.ToArray(), measure.Mass, measure.MassSlack);
    }

    static void Wrap(Span<double> positions, double period)
    {
        foreach (ref double position in positions)
        {
            double turns = position / period;
            position = turns - Math.Floor(turns);
            // A tiny negative number rounds up to a whole turn.
            if (position >= 1)
                position = 0;
        }
    }

    /// <summary>Takes the mass of another side, from which it may differ by rounding alone.</summary>
    void ScaleTo(Side other)
    {
        if (Math.Abs(other.Mass - Mass) > MassSlack * Math.Max(other.Mass, Mass))
        {
            throw new ArgumentException(
                ExactProblem.Text($"The masses differ: {other.Mass:G17} against {Mass:G17}. A distance needs equal masses.")
            );
        }
        TensorPrimitives.Multiply(Weights, other.Mass / Mass, Weights);
        Mass = other.Mass;
    }

    void Sort()
    {
        if (IsEven)
        {
            RadixSort.Sort(Positions);
            return;
        }
        var order = new int[Count];
        RadixSort.Order(Positions, order);
        Positions = Gather(Positions, order);
        Weights = Gather(Weights, order);
    }

    /// <summary>Values in another order.</summary>
    public static double[] Gather(ReadOnlySpan<double> values, ReadOnlySpan<int> order)
    {
        double[] gathered = GC.AllocateUninitializedArray<double>(order.Length);
        for (int i = 0; i < order.Length; i++)
            gathered[i] = values[order[i]];
        return gathered;
    }
}
