using System.Buffers;
using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Problems;

/// <summary><c>Σ_k w_k F_k(P)</c>, w ≥ 0.</summary>
internal sealed class ObjectiveSum : TransportObjective
{
    readonly ImmutableArray<(double Weight, TransportObjective Objective)> _terms;

    public ObjectiveSum(ReadOnlySpan<(double Weight, TransportObjective Objective)> terms)
        : base(First(terms).Rows, terms[0].Objective.Columns)
    {
        foreach ((double weight, TransportObjective objective) in terms)
        {
            ArgumentNullException.ThrowIfNull(objective, nameof(terms));
            Guard.NonNegative(weight);
            if (objective.Rows != Rows || objective.Columns != Columns)
            {
                throw new ArgumentException(
                    $"A term is {objective.Rows} x {objective.Columns}, the first is {Rows} x {Columns}: shapes must be equal.",
                    nameof(terms)
                );
            }
        }
        _terms = [.. terms];
    }

    static TransportObjective First(ReadOnlySpan<(double Weight, TransportObjective Objective)> terms)
    {
        if (terms.IsEmpty)
            throw new ArgumentException("A sum of objectives needs at least one term.", nameof(terms));
        ArgumentNullException.ThrowIfNull(terms[0].Objective, nameof(terms));
        return terms[0].Objective;
    }

    public override bool IsConvex => _terms.All(term => term.Weight == 0 || term.Objective.IsConvex);

    public override bool IsKnown => _terms.All(term => term.Objective.IsKnown);

    /// <summary>Curvatures add up: <c>1/Σ w_k L_k</c>.</summary>
    public override double LargestStep => 1 / _terms.Sum(term => term.Weight / term.Objective.LargestStep);

    public override bool HasForbiddenPairs => _terms.Any(term => term.Objective.HasForbiddenPairs);

    public override bool IsForbidden(int row, int column) => _terms.Any(term => term.Objective.IsForbidden(row, column));

    public override double Value(ReadOnlySpan<double> plan)
    {
        Compensated value = default;
        foreach ((double weight, TransportObjective objective) in _terms)
            value.Add(weight * objective.Value(plan));
        return value.Value;
    }

    public override void Gradient(ReadOnlySpan<double> plan, Span<double> gradient) => Add(plan, gradient, null);

    public override void SampleGradient(ReadOnlySpan<double> plan, Span<double> gradient, SeededRandom random) =>
        Add(plan, gradient, random);

    void Add(ReadOnlySpan<double> plan, Span<double> gradient, SeededRandom? random)
    {
        double[] rented = ArrayPool<double>.Shared.Rent(gradient.Length);
        Span<double> part = rented.AsSpan(0, gradient.Length);
        gradient.Clear();
        try
        {
            foreach ((double weight, TransportObjective objective) in _terms)
            {
                if (random is null)
                    objective.Gradient(plan, part);
                else
                    objective.SampleGradient(plan, part, random);
                TensorPrimitives.MultiplyAdd(part, weight, gradient, gradient);
            }
        }
        finally
        {
            ArrayPool<double>.Shared.Return(rented);
        }
    }
}
