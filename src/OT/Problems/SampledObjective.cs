using OT.Numerics;

namespace OT.Problems;

/// <summary>Sampled gradients, with or without the objective that they estimate.</summary>
internal sealed class SampledObjective : TransportObjective
{
    readonly TransportObjective? _expectation;
    readonly GradientSampler _sampler;

    public SampledObjective(TransportObjective expectation, GradientSampler sampler)
        : this(Checked(expectation).Rows, expectation.Columns, sampler) => _expectation = expectation;

    public SampledObjective(int rows, int columns, GradientSampler sampler)
        : base(rows, columns)
    {
        ArgumentNullException.ThrowIfNull(sampler);
        _sampler = sampler;
    }

    static TransportObjective Checked(TransportObjective expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        return expectation;
    }

    public override bool IsConvex => _expectation is { IsConvex: true };

    public override bool IsKnown => _expectation is { IsKnown: true };

    public override double LargestStep => _expectation?.LargestStep ?? double.PositiveInfinity;

    public override bool HasForbiddenPairs => _expectation is { HasForbiddenPairs: true };

    public override bool IsForbidden(int row, int column) => _expectation?.IsForbidden(row, column) ?? false;

    public override double Value(ReadOnlySpan<double> plan) => _expectation?.Value(plan) ?? double.NaN;

    public override void Gradient(ReadOnlySpan<double> plan, Span<double> gradient)
    {
        if (_expectation is null)
            throw new NotSupportedException("This objective is known by samples of its gradient alone.");
        _expectation.Gradient(plan, gradient);
    }

    public override void SampleGradient(ReadOnlySpan<double> plan, Span<double> gradient, SeededRandom random) =>
        _sampler(plan, gradient, random);
}
