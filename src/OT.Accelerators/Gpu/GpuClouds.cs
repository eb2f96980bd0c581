using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Gpu;

/// <summary>Two clouds on a device, moved to their common mean, in a unit of length that brings them between −2 and 2, coordinate after coordinate.</summary>
/// <remarks>Moved so, norms and what cancels between them are small; in that unit, a power of two, no square of a float leaves its range.</remarks>
sealed class GpuClouds
{
    readonly int _parts;

    /// <summary>Takes the memory and sends the points.</summary>
    /// <param name="memory">Of the operator.</param>
    /// <param name="cloud">The points.</param>
    /// <param name="cost">Says what they are before anything is gathered.</param>
    /// <param name="real">What they are stored in.</param>
    /// <param name="parts">0: as they are. 1 or 2, in floats: heads, or heads and tails, of coordinates that zeros make up to a multiple of 8 (<see cref="TensorSplit"/>).</param>
    public GpuClouds(GpuMemory memory, PointCloud cloud, GpuGroundCost cost, GpuReal real, int parts = 0)
    {
        _parts = parts;
        Dimension = parts == 0 ? cloud.Dimension : Multiple(cloud.Dimension);
        Matrix source = cost.Points(cloud.Source),
            target = cost.Points(cloud.Target);
        double[] centre = Centred.Mean(source, target);
        double unit = Unit(centre, source, target);
        Scale = cost.Scale * Math.Pow(unit, cost.Degree);
        Source = memory.Allocate(Size(source, parts), real);
        Target = memory.Allocate(Size(target, parts), real);
        SourceNorms = Send(memory, Source, source, centre, unit, real);
        TargetNorms = Send(memory, Target, target, centre, unit, real);
    }

    /// <summary>Bytes of both clouds.</summary>
    public static long Bytes(PointCloud cloud, GpuReal real, int parts = 0) =>
        (Size(cloud.Source, parts) + Size(cloud.Target, parts)) * GpuMemory.SizeOf(real);

    /// <summary>Coordinates that kernels count.</summary>
    public int Dimension { get; }

    /// <summary>What is gathered in these units, times this, is what is gathered in the points' own.</summary>
    public double Scale { get; }

    /// <summary>d × n, the points padded with zeros.</summary>
    public GpuBuffer Source { get; }

    /// <summary>d × m.</summary>
    public GpuBuffer Target { get; }

    /// <summary>Scale · |x_i|² of the points as they are stored.</summary>
    public double[] SourceNorms { get; }

    /// <summary>Scale · |y_j|².</summary>
    public double[] TargetNorms { get; }

    static long Size(Matrix points, int parts) =>
        (long)GpuSide.PaddedCount(points.Rows) * (parts == 0 ? points.Columns : parts * Multiple(points.Columns));

    static int Multiple(int dimension) => GpuLayout.Ceiling(dimension, 8) * 8;

    static double Unit(double[] centre, Matrix source, Matrix target)
    {
        double largest = 0;
        foreach (Matrix points in (ReadOnlySpan<Matrix>)[source, target])
        {
            for (int i = 0; i < points.Rows; i++)
            {
                ReadOnlySpan<double> x = points.Row(i);
                for (int k = 0; k < x.Length; k++)
                    largest = Math.Max(largest, Math.Abs(x[k] - centre[k]));
            }
        }
        return largest == 0 ? 1 : Math.ScaleB(1, Math.ILogB(largest));
    }

    double[] Send(GpuMemory memory, GpuBuffer buffer, Matrix points, double[] centre, double unit, GpuReal real)
    {
        int padded = GpuSide.PaddedCount(points.Rows);
        var norms = new double[points.Rows];
        var coordinate = new double[padded];
        var tails = new double[_parts == 2 ? padded : 0];
        for (int k = 0; k < Dimension; k++)
        {
            for (int i = 0; i < points.Rows; i++)
            {
                double x = k < points.Columns ? (points[i, k] - centre[k]) / unit : 0;
                if (real == GpuReal.Single)
                    x = (float)x;
                coordinate[i] = _parts == 0 ? x : TensorSplit.Head((float)x);
                if (_parts == 2)
                    tails[i] = TensorSplit.Tail((float)x);
                double kept = _parts == 1 ? coordinate[i] : x;
                norms[i] += kept * kept;
            }
            memory.Write(buffer, coordinate, real, (long)k * padded);
            if (_parts == 2)
                memory.Write(buffer, tails, real, (long)(Dimension + k) * padded);
        }
        for (int i = 0; i < norms.Length; i++)
            norms[i] *= Scale;
        return norms;
    }
}
