using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Gpu;

/// <summary>Two clouds on a device, moved to their common mean, in a unit of length that brings them between −2 and 2, coordinate after coordinate.</summary>
/// <remarks>Moved so, norms and what cancels between them are small; in that unit, a power of two, no square of a float leaves its range.</remarks>
sealed class GpuClouds
{
    /// <summary>Takes the memory and sends the points.</summary>
    public GpuClouds(GpuMemory memory, PointCloud cloud, GpuGroundCost cost, GpuReal real)
    {
        Matrix source = cost.Points(cloud.Source),
            target = cost.Points(cloud.Target);
        double[] centre = PointCloud.CommonMean(source, target);
        double unit = Unit(centre, source, target);
        Scale = cost.Scale * Math.Pow(unit, cost.Degree);
        Source = memory.Allocate(Size(source), real);
        Target = memory.Allocate(Size(target), real);
        SourceNorms = Send(memory, Source, source, centre, unit, real);
        TargetNorms = Send(memory, Target, target, centre, unit, real);
    }

    /// <summary>Bytes of both clouds.</summary>
    public static long Bytes(PointCloud cloud, GpuReal real) =>
        (Size(cloud.Source) + Size(cloud.Target)) * GpuMemory.SizeOf(real);

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

    static long Size(Matrix points) => (long)GpuSide.PaddedCount(points.Rows) * points.Columns;

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
        for (int k = 0; k < points.Columns; k++)
        {
            for (int i = 0; i < points.Rows; i++)
            {
                double x = (points[i, k] - centre[k]) / unit;
                coordinate[i] = real == GpuReal.Double ? x : (float)x;
                norms[i] += coordinate[i] * coordinate[i];
            }
            memory.Write(buffer, coordinate, real, (long)k * padded);
        }
        for (int i = 0; i < norms.Length; i++)
            norms[i] *= Scale;
        return norms;
    }
}
