namespace OT.Problems;

/// <summary>Labels of bins: from 0, with any gaps; −1 for a bin without one.</summary>
internal static class ClassLabels
{
    /// <summary>Refuses labels that are too few, too many, or below −1.</summary>
    public static void Check(ReadOnlySpan<int> labels, int count)
    {
        if (labels.Length == 0)
            throw new ArgumentException("There are no labels.", nameof(labels));
        if (labels.Length != count)
        {
            throw new ArgumentException(
                $"There are {labels.Length} labels for {count} bins: give one for each, -1 where there is none.",
                nameof(labels)
            );
        }
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] < -1)
                throw new ArgumentException(
                    $"labels[{i}] is {labels[i]}: a label is zero or positive, or -1 for none.",
                    nameof(labels)
                );
        }
    }

    /// <summary>Labels numbered anew without gaps, −1 kept, and how many there are.</summary>
    public static (int[] Classes, int Count) Renumber(ReadOnlySpan<int> labels)
    {
        int[] known = [.. labels.ToArray().Where(label => label >= 0).Distinct().Order()];
        return ([.. labels.ToArray().Select(label => label < 0 ? -1 : Array.BinarySearch(known, label))], known.Length);
    }
}
