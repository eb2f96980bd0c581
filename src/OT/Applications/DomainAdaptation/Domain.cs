using System.Collections.Immutable;
using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>One side of an adaptation: weighted points, and the classes of those whose class is known. Immutable.</summary>
public sealed class Domain
{
    /// <summary>Points with their weights and classes.</summary>
    /// <param name="measure">n weights and n × d points; a weight of 0 leaves a point out of the fit.</param>
    /// <param name="labels">One class for each point, 0 or above with any gaps; −1 for a point whose class is not known. Nothing at all: no class is known.</param>
    /// <exception cref="ArgumentException">The measure has no points, there are not as many labels as points, or one is below −1.</exception>
    public Domain(Measure measure, ReadOnlySpan<int> labels = default)
    {
        ArgumentNullException.ThrowIfNull(measure);
        if (measure.Points is not { Columns: > 0 })
            throw new ArgumentException("A domain needs points of at least one coordinate.", nameof(measure));
        if (!labels.IsEmpty)
            Guard.Length(labels.Length, measure.Count, nameof(labels));
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] < Unknown)
                Guard.ThrowElement(nameof(labels), i, labels[i], "a class is 0 or above, or -1 where it is not known");
        }
        Measure = measure;
        Labels = labels.IsEmpty ? [.. Enumerable.Repeat(Unknown, measure.Count)] : [.. labels];
    }

    /// <summary>Points of equal weight 1/n.</summary>
    /// <inheritdoc cref="Domain(Measure, ReadOnlySpan{int})"/>
    /// <param name="points">n × d.</param>
    /// <param name="labels">One class for each point, −1 for none; nothing at all: no class is known.</param>
    public Domain(Matrix points, ReadOnlySpan<int> labels = default)
        : this(Measure.Uniform(points), labels) { }

    /// <summary>The weights with their points.</summary>
    public Measure Measure { get; }

    /// <summary>The points, n × d.</summary>
    public Matrix Points => Measure.Points!;

    /// <summary>The class of each point, −1 where it is not known.</summary>
    public ImmutableArray<int> Labels { get; }

    /// <summary>Number of points, n.</summary>
    public int Count => Measure.Count;

    /// <summary>Number of coordinates, d.</summary>
    public int Dimension => Points.Columns;

    internal const int Unknown = -1;

    internal bool KnowsClasses => Labels.Any(label => label != Unknown);
}
