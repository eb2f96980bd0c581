using OT.Geometries;
using OT.Numerics;

namespace OT.Results;

/// <summary>The same pass for a sparse plan between points on the line: over the entries of the plan, and transforms without all pairs.</summary>
internal sealed partial class PlanScan
{
    /// <summary>Pairs from which on the short way is taken: below, the tighter bounds of all pairs cost little.</summary>
    const long LinePairs = 1 << 22;

    /// <summary>Whether the pass can be made in O((n + m) log(n + m)) and the entries of the plan.</summary>
    bool IsOnLine => plan is SparsePlan && LineTransform.Takes(geometry) && GibbsEpsilon == 0 && !WantsEntropy;

    internal PlanScan RunOnLine()
    {
        Fork.Join(_n + _m, ScanEntries, TransformOnLine);
        Progress?.Invoke(1);
        return this;
    }

    void ScanEntries()
    {
        SparseMatrix entries = ((SparsePlan)plan).Values;
        RowSums = new double[_n];
        RowScale = RowTargets is null ? [] : new double[_n];
        var columns = new Numerics.Compensated[_m];
        var scaled = new Numerics.Compensated[RowTargets is null ? 0 : _m];
        Numerics.Compensated cost = default;
        for (int i = 0; i < _n; i++)
        {
            ReadOnlySpan<int> at = entries.RowColumns(i);
            ReadOnlySpan<double> masses = entries.RowValues(i);
            RowSums[i] = AccurateSum.Of(masses);
            if (RowTargets is not null)
                RowScale[i] = RowSums[i] <= RowTargets[i] ? 1 : RowTargets[i] / RowSums[i];
            for (int k = 0; k < at.Length; k++)
            {
                double mass = masses[k];
                if (!(mass >= 0) || double.IsInfinity(RowSums[i]))
                    ThrowMass(i, at[k], mass, nameof(plan));
                cost.Add(mass * geometry.Cost(i, at[k]));
                columns[at[k]].Add(mass);
                if (RowTargets is not null)
                    scaled[at[k]].Add(mass * RowScale[i]);
            }
        }
        Cost = cost.Value;
        ColumnSums = Array.ConvertAll(columns, sum => sum.Value);
        ScaledColumnSums = Array.ConvertAll(scaled, sum => sum.Value);
        // A little above the largest of all pairs, as rounded powers of longer ways may be smaller.
        MaxCost = geometry.MagnitudeBound * (1 + 1e-9);
        IndependentCost = MaxCost * Summation.Sum(B); // at most: without all pairs it is not known
    }

    void TransformOnLine()
    {
        var cloud = (PointCloud)geometry;
        if (G is not null)
        {
            double[] g = Array.ConvertAll(G, value => double.IsFinite(value) ? value : 0);
            FTransform = LineTransform.Minima(cloud.GroundCost, cloud.Target.Values, g, B, cloud.Source.Values, cancellation);
        }
        if (FToTransform is not null)
            GTransform = LineTransform.Minima(
                cloud.GroundCost,
                cloud.Source.Values,
                FToTransform,
                A,
                cloud.Target.Values,
                cancellation
            );
    }
}
